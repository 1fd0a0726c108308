"""SQL of invitations."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update

from portico.db.repositories import Repository
from portico.http.pagination import Cursors, Ordering, Slice, fetch_page
from portico.organizations.errors import InvitationNotFound
from portico.organizations.models import Invitation, Membership, Organization
from portico.organizations.schemas.invitations import InvitationListQuery
from portico.organizations.types import InvitationStatus
from portico.users.models import EmailAddress

INVITATIONS = "GET /organizations/{organization_id}/invitations"
MOST_OFFERS = 100

_UNANSWERED = and_(
    Invitation.accepted_at.is_(None), Invitation.declined_at.is_(None), Invitation.revoked_at.is_(None)
)


class InvitationRepository(Repository[Invitation]):
    """The invitations."""

    async def get_invitation(
        self, organization_id: UUID, invitation_id: UUID, *, lock: bool = False
    ) -> Invitation:
        """Return an invitation of this organization; with `lock` unchanged by others until the commit.

        Raises:
            InvitationNotFound: it has none such (404).
        """
        query = select(Invitation).where(
            Invitation.organization_id == organization_id, Invitation.id == invitation_id
        )
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        found = await self.session.scalar(query)
        if found is None:
            raise InvitationNotFound
        return found

    async def find(self, invitation_id: UUID) -> Invitation | None:
        """Return an invitation of whichever organization."""
        return await self.session.get(Invitation, invitation_id)

    async def find_by_secret(self, secret_hash: bytes) -> Invitation | None:
        """Return the invitation whose present secret this is."""
        return await self.session.scalar(select(Invitation).where(Invitation.secret_hash == secret_hash))

    async def find_unanswered(self, organization_id: UUID, address: str) -> Invitation | None:
        """Return the invitation to an address that nobody has answered; it may have expired."""
        query = select(Invitation).where(
            Invitation.organization_id == organization_id, Invitation.address == address, _UNANSWERED
        )
        return await self.session.scalar(query)

    async def count_open(self, organization_id: UUID, now: datetime) -> int:
        """Return how many invitations are open."""
        query = select(func.count()).where(
            Invitation.organization_id == organization_id, _UNANSWERED, Invitation.expires_at > now
        )
        return await self.session.scalar(query) or 0

    async def list_invitations(
        self, organization_id: UUID, query: InvitationListQuery, cursors: Cursors, now: datetime
    ) -> Slice[Invitation]:
        """Return one page."""
        statement = select(Invitation).where(Invitation.organization_id == organization_id)
        if query.status is not None:
            statement = statement.where(_standing(query.status, now))
        if query.q is not None:
            statement = statement.where(Invitation.address.contains(query.q.strip().lower(), autoescape=True))
        return await fetch_page(
            self.session,
            statement,
            query=query,
            ordering=Ordering(Invitation.created_at, Invitation.id, descending=query.descending),
            cursors=cursors,
            route=f"{INVITATIONS} {organization_id}",
        )

    async def list_offers(self, address: str, now: datetime) -> Sequence[tuple[Invitation, Organization]]:
        """Return the open invitations to an address, of organizations that live and are switched on."""
        query = (
            select(Invitation, Organization)
            .join(Organization, Organization.id == Invitation.organization_id)
            .where(
                Invitation.address == address,
                _UNANSWERED,
                Invitation.expires_at > now,
                Organization.deleted_at.is_(None),
                Organization.disabled_at.is_(None),
            )
            .order_by(Invitation.sent_at.desc(), Invitation.id)
            .limit(MOST_OFFERS)
        )
        return [(invitation, organization) for invitation, organization in await self.session.execute(query)]

    async def exists_member_with(self, organization_id: UUID, address: str) -> bool:
        """Tell whether a member of the organization has this address."""
        query = exists().where(
            Membership.organization_id == organization_id,
            Membership.user_id == EmailAddress.user_id,
            EmailAddress.normal_form == address,
            EmailAddress.released_at.is_(None),
        )
        return bool(await self.session.scalar(select(query)))

    async def revoke_all(self, organization_id: UUID, now: datetime) -> None:
        """Withdraw whatever nobody has answered."""
        statement = (
            update(Invitation)
            .where(Invitation.organization_id == organization_id, _UNANSWERED)
            .values(revoked_at=now)
        )
        await self.session.execute(statement)

    async def list_of_person(self, user_id: UUID) -> Sequence[tuple[Any, ...]]:
        """Return the invitations to a person's proven addresses, and those that he accepted, with the organization."""
        own = select(EmailAddress.normal_form).where(
            EmailAddress.user_id == user_id, EmailAddress.verified_at.is_not(None)
        )
        query = (
            select(Invitation, Organization.name)
            .join(Organization, Organization.id == Invitation.organization_id)
            .where(or_(Invitation.accepted_by == user_id, Invitation.address.in_(own)))
            .order_by(Invitation.created_at, Invitation.id)
        )
        return [tuple(row) for row in await self.session.execute(query)]

    async def erase_of_person(self, user_id: UUID) -> None:
        """Delete the invitations to a person's proven addresses, and those that he accepted."""
        own = select(EmailAddress.normal_form).where(
            EmailAddress.user_id == user_id, EmailAddress.verified_at.is_not(None)
        )
        mine = or_(Invitation.accepted_by == user_id, Invitation.address.in_(own))
        await self.session.execute(delete(Invitation).where(mine))

    async def remove_over(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` invitations that have been over since `before`; return how many went."""
        over = or_(
            Invitation.expires_at < before,
            Invitation.accepted_at < before,
            Invitation.declined_at < before,
            Invitation.revoked_at < before,
        )
        batch = select(Invitation.id).where(over).limit(limit)
        found = (await self.session.scalars(batch)).all()
        await self.session.execute(delete(Invitation).where(Invitation.id.in_(found)))
        return len(found)


def _standing(status: InvitationStatus, now: datetime) -> ColumnElement[bool]:
    match status:
        case InvitationStatus.OPEN:
            return and_(_UNANSWERED, Invitation.expires_at > now)
        case InvitationStatus.EXPIRED:
            return and_(_UNANSWERED, Invitation.expires_at <= now)
        case InvitationStatus.ACCEPTED:
            return Invitation.accepted_at.is_not(None)
        case InvitationStatus.DECLINED:
            return Invitation.declined_at.is_not(None)
        case InvitationStatus.REVOKED:
            return Invitation.revoked_at.is_not(None)
