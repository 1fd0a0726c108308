"""Principals, and the roles that they hold over the whole deployment."""

from collections.abc import Sequence
from uuid import UUID

from portico.access.errors import LastSuperuser
from portico.access.events import RolesChanged
from portico.access.models import PrincipalRow, RoleGrant
from portico.access.repositories import GrantRepository, PrincipalRepository
from portico.access.types import PlatformRole
from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.core.ids import PrincipalId, new_id
from portico.db.unit import DatabaseSession, Unit
from portico.http.authentication import Principal, PrincipalKind
from portico.messaging import EventBus
from portico.runtime import Runtime


def add_principal(runtime: Runtime, unit: Unit, kind: PrincipalKind) -> PrincipalId:
    """Make a principal in the open transaction and return its id."""
    principal_id = PrincipalId(new_id())
    PrincipalRepository(unit.session).add(
        PrincipalRow(id=principal_id, kind=kind, created_at=runtime.clock.now())
    )
    return principal_id


async def roles_of(session: DatabaseSession, principal_id: UUID) -> Sequence[PlatformRole]:
    """Return the platform roles that a principal holds."""
    return await GrantRepository(session).list_roles(principal_id)


async def list_superusers(session: DatabaseSession) -> Sequence[UUID]:
    """Return who holds the role of an administrator, switched off or not."""
    return await GrantRepository(session).list_holders(PlatformRole.SUPERUSER)


async def has_superuser(session: DatabaseSession) -> bool:
    """Tell whether the deployment has an administrator yet."""
    return await GrantRepository(session).exists_grant(PlatformRole.SUPERUSER)


class Grants:
    """Gives and takes platform roles; each change is on the trail and heard at once by every node."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def grant_role(
        self, principal_id: PrincipalId, role: PlatformRole, *, actor: Principal | None = None
    ) -> None:
        """Give a role; giving it twice changes nothing."""
        async with self._unit:
            grants = GrantRepository(self._unit.session)
            if role in await grants.list_roles(principal_id):
                return
            granted_by = actor.id if actor else None
            now = self._runtime.clock.now()
            grants.add(RoleGrant(principal_id=principal_id, role=role, granted_by=granted_by, granted_at=now))
            await grants.flush()
            await self._announce(principal_id, "role.granted", role, actor)

    async def revoke_role(
        self, principal_id: PrincipalId, role: PlatformRole, *, actor: Principal | None = None
    ) -> None:
        """Take a role away; nothing happens where it is not held.

        Raises:
            LastSuperuser: nobody else is a superuser (409).
        """
        async with self._unit:
            grants = GrantRepository(self._unit.session)
            if role not in await grants.list_roles(principal_id):
                return
            if role is PlatformRole.SUPERUSER:
                await self.keep_a_superuser(principal_id)
            await grants.revoke(principal_id, role)
            await self._announce(principal_id, "role.revoked", role, actor)

    async def keep_a_superuser(
        self, principal_id: PrincipalId, role: PlatformRole = PlatformRole.SUPERUSER
    ) -> None:
        """Refuse to go on if nobody but `principal_id` could act as a superuser; call inside the unit, before the act.

        Raises:
            LastSuperuser: nobody else holds the role and may act (409).
        """
        grants = GrantRepository(self._unit.session)
        if role not in await grants.list_roles(principal_id):
            return
        if set(await grants.list_able_holders(role)) == {principal_id}:
            raise LastSuperuser

    async def disable(self, principal_id: PrincipalId) -> None:
        """Let a principal's grants count for nothing, in the open unit; whoever calls ends its sessions."""
        await PrincipalRepository(self._unit.session).set_disabled(principal_id, self._runtime.clock.now())

    async def enable(self, principal_id: PrincipalId) -> None:
        """Let a principal's grants count again, in the open unit."""
        await PrincipalRepository(self._unit.session).set_disabled(principal_id, None)

    async def _announce(
        self, principal_id: PrincipalId, action: str, role: PlatformRole, actor: Principal | None
    ) -> None:
        runtime, unit = self._runtime, self._unit
        roles = tuple(await GrantRepository(unit.session).list_roles(principal_id))
        record(
            runtime, unit, action, actor=actor, subject=("principal", principal_id), details={"role": role}
        )
        await runtime.get(RevocationLog).append(unit, [f"user:{principal_id}"])
        event = RolesChanged(at=runtime.clock.now(), principal_id=principal_id, roles=roles)
        await runtime.get(EventBus).emit(event, unit)
