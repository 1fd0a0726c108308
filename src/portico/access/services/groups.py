"""Groups: principals of one organization that hold roles together."""

from collections.abc import Sequence
from uuid import UUID

from portico.access.errors import GroupNotFound
from portico.access.models import Group
from portico.access.repositories import GroupRepository, TenantGrantRepository
from portico.access.services.bounds import require_covered
from portico.access.services.tenant_grants import TenantGrants, name_of
from portico.access.services.tenants import Tenants
from portico.coordination.revocations import RevocationLog
from portico.core.ids import OrganizationId, PrincipalId, new_id
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.runtime import Runtime


class Groups:
    """Makes groups and rules who belongs to them, inside the open unit; its callers keep the trail."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def add_group(self, organization_id: OrganizationId) -> UUID:
        """Make an empty group without roles."""
        group = Group(id=new_id(), tenant_id=organization_id)
        groups = GroupRepository(self._unit.session)
        groups.add(group)
        await groups.flush()
        return group.id

    async def add_member(
        self,
        organization_id: OrganizationId,
        group_id: UUID,
        principal_id: PrincipalId,
        *,
        actor: Principal | None,
    ) -> bool:
        """Put a member of the organization into a group; False if he is in it already.

        Without an `actor` nobody is measured: who comes by an invitation was, together with its roles.

        Raises:
            GroupNotFound: none of this organization's (404).
            RightsNotHeld: the group holds what the actor lacks (403).
        """
        groups = await self._ruled(organization_id, group_id, actor)
        if await groups.has_member(group_id, principal_id):
            return False
        await groups.add_member(group_id, principal_id, self._runtime.clock.now())
        await self._revoke(principal_id)
        return True

    async def remove_member(
        self, organization_id: OrganizationId, group_id: UUID, principal_id: PrincipalId, *, actor: Principal
    ) -> bool:
        """Take somebody out of a group; False if he is not in it.

        Raises:
            GroupNotFound (404), RightsNotHeld (403).
        """
        groups = await self._ruled(organization_id, group_id, actor)
        if not await groups.has_member(group_id, principal_id):
            return False
        await groups.remove_member(group_id, principal_id)
        await self._revoke(principal_id)
        return True

    async def list_members(self, group_id: UUID) -> Sequence[UUID]:
        """Return who belongs to the group."""
        return await GroupRepository(self._unit.session).list_members(group_id)

    async def remove_group(
        self, organization_id: OrganizationId, group_id: UUID, *, actor: Principal
    ) -> None:
        """Delete a group with its roles.

        Raises:
            GroupNotFound (404), RightsNotHeld (403).
        """
        groups = await self._ruled(organization_id, group_id, actor)
        await groups.delete_group(group_id)
        await self._runtime.get(RevocationLog).append(self._unit, [f"tenant:{organization_id}"])

    async def _ruled(
        self, organization_id: OrganizationId, group_id: UUID, actor: Principal | None
    ) -> GroupRepository:
        """Lock, find, and refuse an actor who lacks what the group holds."""
        await Tenants(self._runtime, self._unit).lock(organization_id)
        groups = GroupRepository(self._unit.session)
        if await groups.find(organization_id, group_id) is None:
            raise GroupNotFound
        if actor is None:
            return groups
        held = await TenantGrantRepository(self._unit.session).list_of(organization_id, [group_id])
        permissions = await TenantGrants(self._runtime, self._unit).permissions_of(
            organization_id, [name_of(grant) for grant in held]
        )
        await require_covered(
            self._runtime, self._unit, actor, organization_id, permissions, subject=("team", group_id)
        )
        return groups

    async def _revoke(self, principal_id: PrincipalId) -> None:
        await self._runtime.get(RevocationLog).append(self._unit, [f"user:{principal_id}"])
