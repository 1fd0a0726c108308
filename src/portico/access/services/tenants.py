"""Tenants come, are switched off and on, and go."""

from collections.abc import Sequence
from uuid import UUID

from portico.access.errors import LastOwner
from portico.access.models import PrincipalRow, Tenant
from portico.access.repositories import (
    PrincipalRepository,
    TenantGrantRepository,
    TenantRepository,
)
from portico.access.types import SignInRules
from portico.coordination.revocations import RevocationLog
from portico.core.ids import OrganizationId, PrincipalId, new_id
from portico.db.unit import DatabaseSession, Unit
from portico.http.access import OrganizationNotFound
from portico.http.authentication import PrincipalKind
from portico.runtime import Runtime


class Tenants:
    """Makes and rules tenants inside the open unit; trail and events are their makers' affair."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def add_tenant(self) -> OrganizationId:
        """Make a tenant, and the principal by which its own keys act; nobody is in it yet."""
        organization_id = OrganizationId(new_id())
        now = self._runtime.clock.now()
        session = self._unit.session
        PrincipalRepository(session).add(
            PrincipalRow(id=organization_id, kind=PrincipalKind.ORGANIZATION, created_at=now)
        )
        tenants = TenantRepository(session)
        tenants.add(Tenant(id=organization_id, created_at=now, rules=SignInRules().as_json()))
        await tenants.flush()
        return organization_id

    async def lock(self, organization_id: OrganizationId) -> Tenant:
        """Let nobody else change who may do what in it until the commit. First lock of all who do.

        Raises:
            OrganizationNotFound: there is none (404).
        """
        tenant = await TenantRepository(self._unit.session).lock(organization_id)
        if tenant is None:
            raise OrganizationNotFound
        return tenant

    async def disable(self, organization_id: OrganizationId) -> None:
        """Let every right in it count for nothing, on every node, when the commit is answered."""
        now = self._runtime.clock.now()
        await TenantRepository(self._unit.session).set_disabled(organization_id, now)
        await self._revoke(organization_id)

    async def enable(self, organization_id: OrganizationId) -> None:
        """Let its rights count again."""
        await TenantRepository(self._unit.session).set_disabled(organization_id, None)
        await self._revoke(organization_id)

    async def set_rules(self, organization_id: OrganizationId, rules: SignInRules) -> None:
        """Say how one must have signed in to act there."""
        await TenantRepository(self._unit.session).set_rules(organization_id, rules.as_json())
        await self._revoke(organization_id)

    async def remove(self, organization_id: OrganizationId) -> None:
        """Delete it with its roles, grants and groups; what refers to it must be gone."""
        await TenantRepository(self._unit.session).delete(organization_id)
        await PrincipalRepository(self._unit.session).delete(organization_id)
        await self._revoke(organization_id)

    async def keep_an_owner(self, organization_id: OrganizationId) -> None:
        """Refuse what leaves the tenant without an owner who can act; call after the change, under the lock.

        Raises:
            LastOwner: nobody would be left (409).
        """
        if not await TenantGrantRepository(self._unit.session).list_able_owners(organization_id):
            raise LastOwner

    async def _revoke(self, organization_id: OrganizationId) -> None:
        await self._runtime.get(RevocationLog).append(self._unit, [f"tenant:{organization_id}"])


async def tenants_of(session: DatabaseSession, principal_id: PrincipalId) -> list[OrganizationId]:
    """Return the tenants of which somebody is a member, the first joined first."""
    found = await TenantGrantRepository(session).list_tenants(principal_id)
    return [OrganizationId(tenant_id) for tenant_id in found]


async def list_owners(session: DatabaseSession, organization_id: OrganizationId) -> Sequence[UUID]:
    """Return the people who own the tenant and may act."""
    return await TenantGrantRepository(session).list_able_owners(organization_id)
