"""What becomes of a person's organizations when his account is closed or switched off."""

from uuid import UUID

from portico.access.errors import LastOwner
from portico.access.services import TenantGrants, Tenants
from portico.core.ids import OrganizationId, UserId
from portico.organizations.errors import OnlyOwner
from portico.organizations.repositories import MembershipRepository, OrganizationRepository
from portico.organizations.services.acts import Acts
from portico.organizations.services.lifecycle import OrganizationLifecycle
from portico.organizations.services.members import Members


class AccountClosing(Acts):
    """Takes a person out of his organizations; all of it inside the transaction of the act."""

    async def prepare(self, user_id: UserId) -> None:
        """Lock the person's organizations, and refuse where he is the only owner of one that has other members.

        Called before the person himself is locked: tenants first, as everywhere.

        Raises:
            OnlyOwner: `organizations` of the answer names them (409).
        """
        members = MembershipRepository(self._unit.session)
        organizations = OrganizationRepository(self._unit.session)
        left_alone = []
        for organization_id in await members.list_organizations(user_id):
            await Tenants(self._runtime, self._unit).lock(OrganizationId(organization_id))
            row = await organizations.find(organization_id)
            if row is None or row.deleted_at is not None:
                continue
            if await members.has_others(organization_id, user_id) and await self._is_last(
                organization_id, user_id
            ):
                left_alone.append({"id": str(row.id), "name": row.name, "slug": row.slug})
        if left_alone:
            raise OnlyOwner(extensions={"organizations": left_alone})

    async def leave_all(self, user_id: UserId) -> None:
        """End the person's memberships; what belongs to him alone is deleted with him, and erased with him."""
        members = MembershipRepository(self._unit.session)
        for found in await members.list_organizations(user_id):
            organization_id = OrganizationId(found)
            row = await OrganizationRepository(self._unit.session).find(organization_id)
            if row is not None and not await members.has_others(organization_id, user_id):
                if row.deleted_at is None:
                    await self._delete(organization_id)
                continue
            await self._put_out(organization_id, user_id)

    async def erase(self, user_id: UserId) -> None:
        """Leave nothing of the person: organizations that were his alone go for good, at once."""
        members = MembershipRepository(self._unit.session)
        for found in await members.list_organizations(user_id):
            organization_id = OrganizationId(found)
            if await members.has_others(organization_id, user_id):
                await self._put_out(organization_id, user_id)
            else:
                await OrganizationLifecycle(self._runtime, self._unit).erase(organization_id)

    async def note_ownerless(self, user_id: UserId) -> None:
        """Note on the trail which organizations have no owner who can act, now that this one is switched off."""
        members = MembershipRepository(self._unit.session)
        for found in await members.list_organizations(user_id):
            organization_id = OrganizationId(found)
            if user_id not in await members.list_owners(organization_id):
                continue
            try:
                await Tenants(self._runtime, self._unit).keep_an_owner(organization_id)
            except LastOwner:
                self._record(
                    "organization.left_without_owner",
                    organization_id,
                    actor=None,
                    details={"owner": str(user_id)},
                )

    async def _is_last(self, organization_id: UUID, user_id: UserId) -> bool:
        members = MembershipRepository(self._unit.session)
        able = await members.list_owners(organization_id, able=True)
        return not set(able) - {user_id} and user_id in await members.list_owners(organization_id)

    async def _delete(self, organization_id: OrganizationId) -> None:
        await OrganizationLifecycle(self._runtime, self._unit).delete(
            organization_id, actor=None, permission=None, reason="account_closed"
        )

    async def _put_out(self, organization_id: OrganizationId, user_id: UserId) -> None:
        grants = TenantGrants(self._runtime, self._unit)
        await grants.put_out(organization_id, user_id, actor=None, even_the_last=True)
        await Members(self._runtime, self._unit).forget(
            organization_id, user_id, actor=user_id, reason="account_closed"
        )
