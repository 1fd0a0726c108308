"""The roles of an organization, as its members see them. They are made and bounded in `portico.access`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from portico.access.errors import RoleFixed, RoleNotFound
from portico.access.roles import RoleBook
from portico.access.services import TenantRoles
from portico.access.types import RoleFacts
from portico.core.ids import OrganizationId
from portico.http.authentication import Principal
from portico.organizations.naming import parse_name
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.services.acts import Acts, VersionCheck
from portico.organizations.services.organizations import Organizations

LONGEST_TITLE = 80
MANAGE = OrganizationPermission.ROLE_MANAGE


@dataclass(frozen=True, slots=True)
class PermissionFacts:
    """Something that a role can hold, and whether the caller could put it there."""

    name: str
    is_held: bool


class Roles(Acts):
    """Lists, makes, changes and deletes roles. Named by its name if all organizations have it, else by its id."""

    async def list_roles(self, organization_id: OrganizationId) -> list[RoleFacts]:
        """Return the roles, those of every organization first, from the most to the least."""
        return await TenantRoles(self._runtime, self._unit).list_roles(organization_id)

    async def get_role(self, organization_id: OrganizationId, role: str) -> RoleFacts:
        """Return a role.

        Raises:
            RoleNotFound: the organization has none like that (404).
        """
        roles = TenantRoles(self._runtime, self._unit)
        if role in self._runtime.get(RoleBook).system:
            return next(each for each in roles.system_roles() if each.name == role)
        return await roles.get_role(organization_id, _id(role))

    async def create_role(
        self, organization_id: OrganizationId, wish: Mapping[str, Any], *, actor: Principal
    ) -> RoleFacts:
        """Make a role of `name`, `title`, `description`, `permissions`.

        Raises:
            OrganizationNotFound (404), RoleTaken, RoleFixed (409), Invalid, PermissionUnknown (422).
            RightsNotHeld: it would hold what its maker lacks (403).
        """
        async with self._unit:
            await self._locked(organization_id, actor=actor, permission=MANAGE)
            return await TenantRoles(self._runtime, self._unit).create_role(
                organization_id, **_readable(wish), actor=actor
            )

    async def update_role(
        self,
        organization_id: OrganizationId,
        role: str,
        sent: Mapping[str, Any],
        *,
        check_version: VersionCheck,
        actor: Principal,
    ) -> RoleFacts:
        """Change what was sent; whoever holds the role holds the new permissions with his next request.

        Raises:
            OrganizationNotFound, RoleNotFound (404), RoleTaken, RoleFixed (409), Invalid, PermissionUnknown (422).
            PreconditionFailed (412), RightsNotHeld (403).
        """
        role_id = self._changeable(role)
        async with self._unit:
            await self._locked(organization_id, actor=actor, permission=MANAGE)
            return await TenantRoles(self._runtime, self._unit).update_role(
                organization_id, role_id, **_readable(sent), check_version=check_version, actor=actor
            )

    async def delete_role(
        self, organization_id: OrganizationId, role: str, *, check_version: VersionCheck, actor: Principal
    ) -> None:
        """Delete a role that nobody holds.

        Raises:
            OrganizationNotFound, RoleNotFound (404), RoleInUse, RoleFixed (409), PreconditionFailed (412).
            RightsNotHeld: it holds what the actor lacks (403; CVE-2026-16106).
        """
        role_id = self._changeable(role)
        async with self._unit:
            await self._locked(organization_id, actor=actor, permission=MANAGE)
            await TenantRoles(self._runtime, self._unit).delete_role(
                organization_id, role_id, check_version=check_version, actor=actor
            )

    async def list_permissions(
        self, organization_id: OrganizationId, principal: Principal
    ) -> list[PermissionFacts]:
        """Return everything that a role of the organization can hold, by name."""
        organizations = Organizations(self._runtime, self._unit)
        _, held = await organizations.standing_of(principal, organization_id)
        known = sorted(self._runtime.get(RoleBook).in_organizations)
        return [PermissionFacts(name, name in held) for name in known]

    def _changeable(self, role: str) -> UUID:
        if role in self._runtime.get(RoleBook).system:
            raise RoleFixed
        return _id(role)


def _id(role: str) -> UUID:
    try:
        return UUID(role)
    except ValueError:
        raise RoleNotFound from None


def _readable(wish: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the wish with a title that reads as it is written.

    Raises:
        NameMalformed: it holds control characters or marks that turn the reading direction (422).
    """
    if "title" not in wish:
        return wish
    return {**wish, "title": parse_name(wish["title"], longest=LONGEST_TITLE)}
