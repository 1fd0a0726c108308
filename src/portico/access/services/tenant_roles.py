"""The roles of an organization: those that every one has, and those that it made."""

from collections.abc import Callable, Collection, Mapping
from uuid import UUID

from portico.access.errors import PermissionUnknown, RoleFixed, RoleInUse, RoleNotFound, RoleTaken
from portico.access.events import RoleCreated, RoleDeleted, RoleUpdated
from portico.access.models import TenantRole
from portico.access.repositories import TenantRoleRepository
from portico.access.roles import RoleBook
from portico.access.services.bounds import require_covered
from portico.access.services.tenants import Tenants
from portico.access.types import ROLE_NAME, RoleFacts
from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.core.errors import FieldFault, Invalid
from portico.core.ids import OrganizationId, new_id
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.messaging import Event, EventBus
from portico.runtime import Runtime

TITLES = {"owner": "Owner", "admin": "Administrator", "member": "Member", "viewer": "Viewer"}


class TenantRoles:
    """Lists, makes, changes and deletes roles; none holds what its maker lacks."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._book = runtime.get(RoleBook)

    async def list_roles(self, organization_id: OrganizationId) -> list[RoleFacts]:
        """Return the roles of an organization, those of everybody first, from the most to the least."""
        if self._unit.is_open:
            rows = await TenantRoleRepository(self._unit.session).list_of(organization_id)
        else:
            async with self._runtime.reads() as session:
                rows = await TenantRoleRepository(session).list_of(organization_id)
        return [*self.system_roles(), *(self._facts(row) for row in rows)]

    def system_roles(self) -> list[RoleFacts]:
        """Return the roles that every organization has."""
        ordered = sorted(self._book.system.items(), key=lambda held: (-len(held[1]), held[0]))
        return [
            RoleFacts(
                id=None,
                name=name,
                title=TITLES.get(name, name.title()),
                description="",
                permissions=permissions,
            )
            for name, permissions in ordered
        ]

    async def get_role(self, organization_id: OrganizationId, role_id: UUID) -> RoleFacts:
        """Return a role that the organization made.

        Raises:
            RoleNotFound: there is none, or another organization's (404).
        """
        if self._unit.is_open:
            row = await TenantRoleRepository(self._unit.session).find(organization_id, role_id)
        else:
            async with self._runtime.reads() as session:
                row = await TenantRoleRepository(session).find(organization_id, role_id)
        if row is None:
            raise RoleNotFound
        return self._facts(row)

    async def create_role(
        self,
        organization_id: OrganizationId,
        *,
        name: str,
        title: str,
        description: str = "",
        permissions: Collection[str],
        actor: Principal,
    ) -> RoleFacts:
        """Make a role.

        Raises:
            Invalid, PermissionUnknown: name or permissions are none (422).
            RightsNotHeld: it would hold what its maker lacks (403).
            RoleTaken: there is one of that name (409).
        """
        wanted = self._checked(name, permissions)
        async with self._unit:
            await Tenants(self._runtime, self._unit).lock(organization_id)
            await require_covered(self._runtime, self._unit, actor, organization_id, wanted)
            await self._refuse_taken(organization_id, name)
            now = self._runtime.clock.now()
            role = TenantRole(
                id=new_id(),
                tenant_id=organization_id,
                name=name,
                title=title,
                description=description,
                permissions=sorted(wanted),
                created_by=actor.id,
                created_at=now,
                updated_at=now,
            )
            roles = TenantRoleRepository(self._unit.session)
            roles.add(role)
            await roles.flush()
            changes = {"name": (None, name), "permissions": (None, sorted(wanted))}
            event = RoleCreated(at=now, organization_id=organization_id, role_id=role.id)
            await self._announce("organization_role.created", role, actor, event, changes)
            return self._facts(role)

    async def update_role(
        self,
        organization_id: OrganizationId,
        role_id: UUID,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        permissions: Collection[str] | None = None,
        check_version: Callable[[int], None],
        actor: Principal,
    ) -> RoleFacts:
        """Change a role; whoever holds it holds the new permissions with his next request.

        Raises:
            RoleNotFound (404), RoleTaken (409), Invalid, PermissionUnknown (422), PreconditionFailed (412).
            RightsNotHeld: it holds, or would hold, what the actor lacks (403).
        """
        async with self._unit:
            await Tenants(self._runtime, self._unit).lock(organization_id)
            role = await self._found(organization_id, role_id)
            check_version(role.version)
            before = {"name": role.name, "title": role.title, "permissions": list(role.permissions)}
            held = frozenset(role.permissions)
            wanted = self._checked(name or role.name, held if permissions is None else permissions)
            subject = ("organization_role", role_id)
            await require_covered(
                self._runtime,
                self._unit,
                actor,
                organization_id,
                self._book.known(held) | wanted,
                subject=subject,
            )
            if name is not None:
                await self._refuse_taken(organization_id, name, except_id=role_id)
                role.name = name
            role.title = role.title if title is None else title
            role.description = role.description if description is None else description
            role.permissions = sorted(wanted)
            role.updated_at = self._runtime.clock.now()
            await TenantRoleRepository(self._unit.session).flush()
            after = {"name": role.name, "title": role.title, "permissions": list(role.permissions)}
            changes = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
            event = RoleUpdated(at=role.updated_at, organization_id=organization_id, role_id=role_id)
            await self._announce("organization_role.updated", role, actor, event, changes)
            return self._facts(role)

    async def delete_role(
        self,
        organization_id: OrganizationId,
        role_id: UUID,
        *,
        check_version: Callable[[int], None],
        actor: Principal,
    ) -> None:
        """Delete a role that nobody holds.

        Raises:
            RoleNotFound (404), RoleInUse (409), PreconditionFailed (412).
            RightsNotHeld: it holds what the actor lacks (403).
        """
        async with self._unit:
            await Tenants(self._runtime, self._unit).lock(organization_id)
            role = await self._found(organization_id, role_id)
            check_version(role.version)
            held = self._book.known(role.permissions)
            subject = ("organization_role", role_id)
            await require_covered(self._runtime, self._unit, actor, organization_id, held, subject=subject)
            roles = TenantRoleRepository(self._unit.session)
            if await roles.exists_holder(role_id):
                raise RoleInUse
            await roles.remove(role)
            event = RoleDeleted(
                at=self._runtime.clock.now(), organization_id=organization_id, role_id=role_id
            )
            changes = {"name": (role.name, None), "permissions": (list(role.permissions), None)}
            await self._announce("organization_role.deleted", role, actor, event, changes)

    async def _found(self, organization_id: OrganizationId, role_id: UUID) -> TenantRole:
        role = await TenantRoleRepository(self._unit.session).find(organization_id, role_id)
        if role is None:
            raise RoleNotFound
        return role

    def _checked(self, name: str, permissions: Collection[str]) -> frozenset[str]:
        if ROLE_NAME.fullmatch(name) is None:
            fault = FieldFault("role_name_malformed", "Lower-case letters, digits, - and _", "name")
            raise Invalid(errors=[fault])
        if name in self._book.system:
            raise RoleFixed
        wanted = frozenset(permissions)
        if unknown := wanted - self._book.in_organizations:
            fault = FieldFault("permission_unknown", f"There is no permission {min(unknown)}", "permissions")
            raise PermissionUnknown(errors=[fault])
        return wanted

    async def _refuse_taken(
        self, organization_id: OrganizationId, name: str, *, except_id: UUID | None = None
    ) -> None:
        roles = TenantRoleRepository(self._unit.session)
        if await roles.exists_name(organization_id, name, except_id=except_id):
            raise RoleTaken

    async def _announce(
        self,
        action: str,
        role: TenantRole,
        actor: Principal,
        event: Event,
        changes: Mapping[str, tuple[object, object]],
    ) -> None:
        runtime, unit, organization_id = self._runtime, self._unit, OrganizationId(role.tenant_id)
        record(
            runtime,
            unit,
            action,
            actor=actor,
            subject=("organization_role", role.id),
            organization_id=organization_id,
            changes=changes,
        )
        await runtime.get(RevocationLog).append(unit, [f"tenant:{organization_id}"])
        await runtime.get(EventBus).emit(event, unit)

    def _facts(self, row: TenantRole) -> RoleFacts:
        return RoleFacts(
            id=row.id,
            name=row.name,
            title=row.title,
            description=row.description,
            permissions=self._book.known(row.permissions),
            version=row.version,
        )
