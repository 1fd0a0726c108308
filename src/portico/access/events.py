"""What happens to rights."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from portico.access.types import PlatformRole
from portico.core.ids import OrganizationId, PrincipalId
from portico.messaging import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class RolesChanged(Event):
    """A principal's platform roles are now these."""

    name: ClassVar[str] = "principal.roles_changed"

    principal_id: PrincipalId
    roles: tuple[PlatformRole, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationRolesChanged(Event):
    """What a member or a team holds in an organization is now this; nothing at all when it was put out.

    `roles` are names, those made at run time by their ids. `widened`: more than before, if only in part.
    """

    name: ClassVar[str] = "organization.roles_changed"

    organization_id: OrganizationId
    holder_id: UUID
    roles: tuple[str, ...]
    widened: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleCreated(Event):
    """An organization has one more role."""

    name: ClassVar[str] = "organization_role.created"

    organization_id: OrganizationId
    role_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleUpdated(Event):
    """A role of an organization has another name or holds other permissions."""

    name: ClassVar[str] = "organization_role.updated"

    organization_id: OrganizationId
    role_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleDeleted(Event):
    """An organization has a role no longer."""

    name: ClassVar[str] = "organization_role.deleted"

    organization_id: OrganizationId
    role_id: UUID
