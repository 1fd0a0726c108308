"""What the roles that everybody has hold, read from the features' declarations when the process starts."""

from collections.abc import Collection, Iterable, Mapping
from typing import Self

from portico.access.types import ROLE_NAME, OrganizationRole, PlatformRole
from portico.core.permissions import Permission, Reach, reach_of
from portico.feature import Feature, FeatureSet
from portico.http.permissions import HealthPermission
from portico.runtime import Runtime


class RoleMisdeclared(RuntimeError):
    """A feature gives a role something that this kind of role cannot hold; the process does not start."""


class RoleBook:
    """Roles by name, and every permission there is; `runtime.get(RoleBook)`."""

    def __init__(self, features: Iterable[Feature]) -> None:
        features = list(features)
        declared: list[type[Permission]] = [HealthPermission]
        declared += [feature.permissions for feature in features if feature.permissions is not None]
        self.permissions: Mapping[str, Permission] = {
            permission.value: permission for kind in declared for permission in kind
        }
        """Every declared permission, by its text."""
        self.in_organizations = self._reaching(Reach.ORGANIZATION)
        """The permissions that are held in organizations."""
        self.over_platform = self._reaching(Reach.PLATFORM)
        given = _given(features)
        self._platform = {role.value: frozenset(given.get(role.value, ())) for role in PlatformRole}
        self._platform[PlatformRole.SUPERUSER] = self.over_platform
        names = {role.value for role in OrganizationRole} | (given.keys() - self._platform.keys())
        self.system: Mapping[str, frozenset[str]] = {
            name: frozenset(given.get(name, ())) for name in sorted(names)
        } | {OrganizationRole.OWNER.value: self.in_organizations}
        """The roles that every organization has, and what they hold."""
        self._check()

    @classmethod
    def of(cls, runtime: Runtime) -> Self:
        """Read the features of the process."""
        return cls(runtime.get(FeatureSet).features)

    def of_organization(self, role: str) -> frozenset[str]:
        """Return what a role of every organization holds; nothing, where a release has it no longer."""
        return self.system.get(role, frozenset())

    def of_platform(self, roles: Iterable[str]) -> frozenset[str]:
        """Return what platform roles hold together."""
        return frozenset().union(*(self._platform.get(role, frozenset()) for role in roles))

    def platform_holds(self, roles: Iterable[str], permission: str) -> bool:
        """Tell whether one of the platform roles holds the permission."""
        return any(permission in self._platform.get(role, ()) for role in roles)

    def known(self, permissions: Iterable[str]) -> frozenset[str]:
        """Return those of the permissions that are held in organizations; others are of an earlier release."""
        return self.in_organizations.intersection(permissions)

    def _reaching(self, reach: Reach) -> frozenset[str]:
        return frozenset(value for value in self.permissions if reach_of(value) is reach)

    def _check(self) -> None:
        for role, held in self._platform.items():
            _refuse(role, held - self.over_platform, "is not held by platform roles")
        for role, held in self.system.items():
            _refuse(role, held - self.in_organizations, "is not held in organizations")
            if ROLE_NAME.fullmatch(role) is None:
                raise RoleMisdeclared(f"{role!r} is no name for a role")


def _given(features: Iterable[Feature]) -> dict[str, set[str]]:
    given: dict[str, set[str]] = {}
    for feature in features:
        for role, permissions in feature.roles.items():
            given.setdefault(str(role), set()).update(permission.value for permission in permissions)
    return given


def _refuse(role: str, misplaced: Collection[str], why: str) -> None:
    if misplaced:
        raise RoleMisdeclared(f"the role {role!r}: {min(misplaced)} {why}, or no feature declares it")
