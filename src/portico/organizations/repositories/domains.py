"""SQL of mail domains, and of who left."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from portico.core.ids import new_id
from portico.db.repositories import Repository
from portico.organizations.errors import DomainAdded, DomainNotFound
from portico.organizations.models import Departure, Domain, Membership, Organization
from portico.users.models import EmailAddress

_IS_PROVEN = (
    EmailAddress.is_primary,
    EmailAddress.proven_at.is_not(None),
    EmailAddress.verified_at.is_not(None),
    EmailAddress.released_at.is_(None),
)


class DomainRepository(Repository[Domain]):
    """The domains."""

    async def get_domain(self, organization_id: UUID, domain_id: UUID, *, lock: bool = False) -> Domain:
        """Return a domain of this organization; with `lock` unchanged by others until the commit.

        Raises:
            DomainNotFound: it has none such (404).
        """
        query = select(Domain).where(Domain.organization_id == organization_id, Domain.id == domain_id)
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        found = await self.session.scalar(query)
        if found is None:
            raise DomainNotFound
        return found

    async def list_of(self, organization_id: UUID) -> Sequence[Domain]:
        """Return the domains of an organization, sorted by name."""
        query = select(Domain).where(Domain.organization_id == organization_id).order_by(Domain.domain)
        return (await self.session.scalars(query)).all()

    async def count_of(self, organization_id: UUID) -> int:
        """Return how many domains an organization has named."""
        query = select(func.count()).where(Domain.organization_id == organization_id)
        return await self.session.scalar(query) or 0

    async def insert(self, row: Domain) -> None:
        """Add a domain.

        Raises:
            DomainAdded: the organization has named it already (409); the transaction stays usable.
        """
        try:
            async with self.session.begin_nested():
                self.session.add(row)
        except IntegrityError as error:
            raise DomainAdded from error

    async def lock_claims(self, domain: str) -> Sequence[Domain]:
        """Return all that organizations say of a domain, in one order, so that two who verify wait for each other."""
        query = select(Domain).where(Domain.domain == domain).order_by(Domain.id).with_for_update()
        return (await self.session.scalars(query.execution_options(populate_existing=True))).all()

    async def find_joining(self, domain: str) -> Domain | None:
        """Return the proven domain by which people join, of an organization that lives and is switched on."""
        query = (
            select(Domain)
            .join(Organization, Organization.id == Domain.organization_id)
            .where(
                Domain.domain == domain,
                Domain.verified_at.is_not(None),
                Domain.joins_automatically,
                Organization.deleted_at.is_(None),
                Organization.disabled_at.is_(None),
            )
        )
        return (await self.session.scalars(query.execution_options(populate_existing=True))).one_or_none()

    async def exists_proven(self, user_id: UUID, address: str) -> bool:
        """Tell whether a person has shown that this address is his."""
        query = exists().where(
            EmailAddress.user_id == user_id, EmailAddress.normal_form == address, *_IS_PROVEN
        )
        return bool(await self.session.scalar(select(query)))

    async def list_people_outside(
        self, row: Domain, after: UUID | None, limit: int
    ) -> Sequence[tuple[UUID, UUID]]:
        """Return people with a proven address of a domain who do not belong to its organization, with the address's id.

        In the order of those ids, beginning behind `after`.
        """
        member = exists().where(
            Membership.organization_id == row.organization_id, Membership.user_id == EmailAddress.user_id
        )
        query = select(EmailAddress.id, EmailAddress.user_id).where(
            *_IS_PROVEN, EmailAddress.normal_form.endswith(f"@{row.domain}", autoescape=True), ~member
        )
        if after is not None:
            query = query.where(EmailAddress.id > after)
        found = await self.session.execute(query.order_by(EmailAddress.id).limit(limit))
        return [(address_id, user_id) for address_id, user_id in found]

    async def list_joining(self, organization_id: UUID) -> Sequence[UUID]:
        """Return the domains of an organization by which people join."""
        query = select(Domain.id).where(
            Domain.organization_id == organization_id,
            Domain.verified_at.is_not(None),
            Domain.joins_automatically,
        )
        return (await self.session.scalars(query.order_by(Domain.id))).all()

    async def list_due(
        self, *, checked_before: datetime, failed_before: datetime, limit: int
    ) -> Sequence[UUID]:
        """Return proven domains to be looked up again: those found last time, and sooner those that were not."""
        due = or_(
            Domain.checked_at <= checked_before,
            and_(Domain.failed_checks > 0, Domain.checked_at <= failed_before),
        )
        query = select(Domain.id).where(Domain.verified_at.is_not(None), due)
        return (await self.session.scalars(query.order_by(Domain.checked_at).limit(limit))).all()

    async def find(self, domain_id: UUID, *, lock: bool = False) -> Domain | None:
        """Return a domain of whichever organization."""
        query = select(Domain).where(Domain.id == domain_id)
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        return (await self.session.scalars(query)).one_or_none()

    async def unverify_all(self, organization_id: UUID, now: datetime) -> None:
        """Take the proof from every domain of an organization."""
        statement = (
            update(Domain)
            .where(Domain.organization_id == organization_id, Domain.verified_at.is_not(None))
            .values(verified_at=None, joins_automatically=False, updated_at=now, version=Domain.version + 1)
        )
        await self.session.execute(statement)


class DepartureRepository(Repository[Departure]):
    """Who left which organization."""

    async def note(self, organization_id: UUID, user_id: UUID, mac: bytes | None, now: datetime) -> None:
        """Keep that a person left, for good."""
        query = select(Departure).where(
            Departure.organization_id == organization_id, Departure.user_id == user_id
        )
        row = (await self.session.scalars(query.with_for_update())).one_or_none()
        if row is None:
            row = self.add(Departure(id=new_id(), organization_id=organization_id, user_id=user_id))
        row.address_mac, row.left_at = mac or row.address_mac, now
        await self.session.flush()

    async def exists_departure(self, organization_id: UUID, user_id: UUID, mac: bytes) -> bool:
        """Tell whether the person, or whoever had this address, left the organization."""
        same = or_(Departure.user_id == user_id, Departure.address_mac == mac)
        query = exists().where(Departure.organization_id == organization_id, same)
        return bool(await self.session.scalar(select(query)))

    async def find_address(self, user_id: UUID) -> str | None:
        """Return the address by which a person was known, also of one whose account was just closed."""
        query = (
            select(EmailAddress.normal_form)
            .where(EmailAddress.user_id == user_id, EmailAddress.is_primary)
            .order_by(EmailAddress.released_at.is_not(None), EmailAddress.created_at.desc())
            .limit(1)
        )
        return (await self.session.scalars(query)).one_or_none()
