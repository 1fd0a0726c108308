"""SQL of who belongs to which organization."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, or_, select

from portico.access.models import TenantGrant
from portico.access.types import OrganizationRole
from portico.core.ids import PrincipalId, UserId
from portico.db.repositories import Repository
from portico.http.pagination import Cursors, Ordering, Slice, fetch_page
from portico.organizations.errors import MemberNotFound
from portico.organizations.models import Membership, Organization
from portico.organizations.schemas import MemberListQuery
from portico.organizations.types import MemberFacts
from portico.users.errors import UserNotFound
from portico.users.models import EmailAddress, User
from portico.users.types import UserStatus

MEMBERS = "GET /organizations/{organization_id}/members"
_MEMBER: tuple[Any, ...] = (
    Membership.user_id,
    EmailAddress.address,
    User.username,
    User.full_name,
    User.status,
    Membership.how,
    Membership.joined_at,
)

_OF_MEMBER = and_(
    EmailAddress.user_id == Membership.user_id,
    EmailAddress.is_primary,
    EmailAddress.released_at.is_not_distinct_from(User.deleted_at),
)
"""The address of somebody whose row is joined: a deleted person let go of his in the moment of the deletion."""


class MembershipRepository(Repository[Membership]):
    """The memberships."""

    async def lock_person(self, user_id: UUID) -> None:
        """Keep a living person from being deleted before the commit.

        Raises:
            UserNotFound: there is no such living person (404).
        """
        query = select(User.id).where(User.id == user_id, User.deleted_at.is_(None))
        if await self.session.scalar(query.with_for_update(key_share=True)) is None:
            raise UserNotFound

    async def exists_membership(self, organization_id: UUID, user_id: UUID) -> bool:
        """Tell whether a person belongs to an organization."""
        query = exists().where(Membership.organization_id == organization_id, Membership.user_id == user_id)
        return bool(await self.session.scalar(select(query)))

    async def require(self, organization_id: UUID, user_id: UUID) -> None:
        """Go on only if the person belongs to the organization.

        Raises:
            MemberNotFound: he does not (404).
        """
        if not await self.exists_membership(organization_id, user_id):
            raise MemberNotFound

    async def delete(self, organization_id: UUID, user_id: UUID) -> None:
        """End a membership."""
        statement = delete(Membership).where(
            Membership.organization_id == organization_id, Membership.user_id == user_id
        )
        await self.session.execute(statement)

    async def list_organizations(self, user_id: UUID) -> Sequence[UUID]:
        """Return all organizations of a person, deleted ones too, sorted by id: the order in which they are locked."""
        query = select(Membership.organization_id).where(Membership.user_id == user_id)
        return (await self.session.scalars(query.order_by(Membership.organization_id))).all()

    async def has_others(self, organization_id: UUID, user_id: UUID) -> bool:
        """Tell whether anybody but this person belongs to the organization."""
        query = exists().where(Membership.organization_id == organization_id, Membership.user_id != user_id)
        return bool(await self.session.scalar(select(query)))

    async def list_owners(self, organization_id: UUID, *, able: bool = False) -> Sequence[UUID]:
        """Return the people who own the organization; with `able` only those whose accounts are on."""
        query = (
            select(Membership.user_id)
            .join(
                TenantGrant,
                and_(
                    TenantGrant.tenant_id == Membership.organization_id,
                    TenantGrant.holder_id == Membership.user_id,
                ),
            )
            .where(
                Membership.organization_id == organization_id,
                TenantGrant.role == OrganizationRole.OWNER.value,
            )
            .order_by(Membership.user_id)
        )
        if able:
            active = and_(User.status == UserStatus.ACTIVE, User.deleted_at.is_(None))
            query = query.join(User, User.id == Membership.user_id).where(active)
        return (await self.session.scalars(query)).all()

    async def get_member(self, organization_id: UUID, user_id: UUID) -> MemberFacts:
        """Return a member, without roles.

        Raises:
            MemberNotFound: there is none (404).
        """
        row = (
            await self.session.execute(_members(organization_id).where(Membership.user_id == user_id))
        ).first()
        if row is None:
            raise MemberNotFound
        return member_of(row)

    async def list_members(
        self, organization_id: UUID, query: MemberListQuery, cursors: Cursors
    ) -> Slice[UUID]:
        """Return one page of members, as ids, the first joined first; by cursor it costs the same at any depth.

        People are joined only where they are searched: a page is found in one index, and filled in by `list_of`.
        """
        statement = select(Membership.user_id).where(Membership.organization_id == organization_id)
        if query.role is not None:
            statement = statement.where(_holds(query.role))
        if query.q is not None:
            people = statement.join(User, User.id == Membership.user_id).join(EmailAddress, _OF_MEMBER)
            statement = people.where(_mentions(query.q))
        return await fetch_page(
            self.session,
            statement,
            query=query,
            ordering=Ordering(Membership.joined_at, Membership.user_id, descending=query.descending),
            cursors=cursors,
            route=f"{MEMBERS} {organization_id}",
        )

    async def list_of(self, organization_id: UUID, user_ids: Sequence[UUID]) -> list[MemberFacts]:
        """Return those of the people who are members, without roles, in the order of joining."""
        statement = _members(organization_id).where(Membership.user_id.in_(user_ids))
        found = await self.session.execute(statement.order_by(Membership.joined_at, Membership.user_id))
        return [member_of(row) for row in found]

    async def list_of_person(self, user_id: UUID) -> Sequence[Any]:
        """Return a person's memberships with name and slug of each organization, for the export of his data."""
        query = (
            select(
                Membership.organization_id,
                Organization.name,
                Organization.slug,
                Organization.deleted_at,
                Membership.how,
                Membership.joined_at,
            )
            .join(Organization, Organization.id == Membership.organization_id)
            .where(Membership.user_id == user_id)
            .order_by(Membership.joined_at, Membership.organization_id)
        )
        return (await self.session.execute(query)).all()


def _members(organization_id: UUID) -> Select[Any]:
    return (
        select(*_MEMBER)
        .join_from(Membership, User, User.id == Membership.user_id)
        .join(EmailAddress, _OF_MEMBER)
        .where(Membership.organization_id == organization_id)
    )


def member_of(row: Any) -> MemberFacts:
    """Make the value of a row of members."""
    user_id, address, username, full_name, status, how, joined_at = row
    return MemberFacts(
        user_id=UserId(PrincipalId(user_id)),
        email=address,
        username=username,
        full_name=full_name,
        is_active=status is UserStatus.ACTIVE,
        how=how,
        joined_at=joined_at,
    )


def _holds(role: str) -> ColumnElement[bool]:
    """Say of a member that he holds a role himself, by its name or its id."""
    grant = (
        TenantGrant.tenant_id == Membership.organization_id,
        TenantGrant.holder_id == Membership.user_id,
    )
    try:
        return exists().where(*grant, TenantGrant.role_id == UUID(role))
    except ValueError:
        return exists().where(*grant, TenantGrant.role == role)


def _mentions(words: str) -> ColumnElement[bool]:
    """Look for the text as it stands; `%` and `_` in it are letters (ASVS 5.0 V1.2.9)."""
    sought = words.strip().lower()
    return or_(
        EmailAddress.normal_form.contains(sought, autoescape=True),
        func.lower(User.username).contains(sought, autoescape=True),
        func.lower(User.full_name).contains(sought, autoescape=True),
    )
