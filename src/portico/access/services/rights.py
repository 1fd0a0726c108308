"""What somebody holds in an organization: read in one statement, remembered until something changes it.

A change of a grant revokes `user:<principal>`; one of a role, a group, the rules or the organization itself revokes
`tenant:<organization>`. By then no process answers from memory any more (`portico.coordination.revocations`).
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from portico.access.repositories import RightsRepository
from portico.access.repositories.rights import Standing
from portico.access.roles import RoleBook
from portico.access.types import Rights
from portico.coordination.cache import BoundedCache
from portico.coordination.revocations import RevocationLog
from portico.core.ids import OrganizationId
from portico.db.unit import DatabaseSession
from portico.runtime import Runtime

REMEMBERED: Final = 20_000
"""Pairs of principal and organization that a process remembers, under 1 kB each: the sets of roles are shared."""


class _Outsider(Exception):
    """Raised through the cache, so that nobody fills it with organizations that he has nothing to do with."""


class RightsReader:
    """Reads rights and remembers them; one a process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._book = runtime.get(RoleBook)
        self._remembered: BoundedCache[tuple[UUID, UUID], Rights] = BoundedCache(
            runtime.get(RevocationLog), REMEMBERED
        )
        self._shared: dict[frozenset[str], frozenset[str]] = {}

    async def of(
        self, principal_id: UUID, organization_id: OrganizationId, *, fresh: bool = False
    ) -> Rights | None:
        """Return what the principal holds there, or None for an outsider; `fresh` asks the database."""
        key = (principal_id, organization_id)
        if not fresh and (rights := self._remembered.hit(key)) is not None:
            return rights

        async def load() -> tuple[Rights, Sequence[str]]:
            async with self._runtime.reads() as session:
                rights = await self.read(session, principal_id, organization_id)
            if rights is None:
                raise _Outsider
            return rights, (f"user:{principal_id}", f"tenant:{organization_id}")

        try:
            return await self._remembered.load(key, load)
        except _Outsider:
            return None

    async def read(
        self, session: DatabaseSession, principal_id: UUID, organization_id: OrganizationId
    ) -> Rights | None:
        """Return what the principal holds there by what `session` sees, also what its transaction changed."""
        rights = RightsRepository(session)
        if principal_id == organization_id:  # the organization itself, by a key of its own
            standing = await rights.find_tenant(organization_id)
            return None if standing is None else self._own(standing)
        standing = await rights.find_standing(principal_id, organization_id)
        return None if standing is None else self._held(standing)

    def _held(self, standing: Standing) -> Rights:
        return Rights(
            permissions=self._permissions(standing),
            roles=(*sorted(standing.roles), *(str(role_id) for role_id, _ in standing.made_roles)),
            is_disabled=standing.is_disabled,
            rules=standing.rules,
        )

    def _own(self, standing: Standing) -> Rights:
        return Rights(
            permissions=self._book.in_organizations, is_disabled=standing.is_disabled, rules=standing.rules
        )

    def _permissions(self, standing: Standing) -> frozenset[str]:
        """Return one set for all who hold the same roles, as long as the roles are those of everybody."""
        if standing.made_roles:
            made = (self._book.known(permissions) for _, permissions in standing.made_roles)
            return self._of_system(standing.roles).union(*made)
        return self._of_system(standing.roles)

    def _of_system(self, roles: frozenset[str]) -> frozenset[str]:
        shared = self._shared.get(roles)
        if shared is None:
            shared = frozenset().union(*(self._book.of_organization(role) for role in roles))
            self._shared[roles] = shared
        return shared


async def rights_in(
    runtime: Runtime, principal_id: UUID, organization_id: OrganizationId, *, fresh: bool = False
) -> Rights | None:
    """Return what a principal holds in an organization, or None if he has nothing to do with it."""
    return await runtime.get(RightsReader).of(principal_id, organization_id, fresh=fresh)
