"""SQL of whom an organization's identity provider may speak for."""

from uuid import UUID

from sqlalchemy import select

from portico.db.repositories import Repository
from portico.organizations.models import Domain, Membership, Organization
from portico.users.models import EmailAddress, User
from portico.users.types import UserStatus


class EnterprisePeopleRepository(Repository[User]):
    """The people of organizations."""

    async def find_member(self, organization_id: UUID, normal_form: str) -> UUID | None:
        """Return the member with this address, proven by him, in a domain that the living organization has proven."""
        query = (
            select(User.id)
            .join(EmailAddress, EmailAddress.user_id == User.id)
            .join(Membership, Membership.user_id == User.id)
            .join(Organization, Organization.id == Membership.organization_id)
            .join(Domain, Domain.organization_id == Organization.id)
            .where(
                Organization.id == organization_id,
                Organization.deleted_at.is_(None),
                Organization.disabled_at.is_(None),
                Domain.domain == normal_form.rpartition("@")[2],
                Domain.verified_at.is_not(None),
                EmailAddress.normal_form == normal_form,
                EmailAddress.verified_at.is_not(None),
                EmailAddress.released_at.is_(None),
                User.status == UserStatus.ACTIVE,
                User.deleted_at.is_(None),
            )
        )
        return (await self.session.scalars(query)).one_or_none()
