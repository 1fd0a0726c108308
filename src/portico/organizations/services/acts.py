"""What every act in an organization does alike: lock, look, note, tell."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from portico.access.services import Tenants
from portico.access.services.bounds import require_covered
from portico.audit.services import record
from portico.core.ids import OrganizationId
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.messaging import Event, EventBus
from portico.organizations.models import Organization
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.repositories import OrganizationRepository
from portico.runtime import Runtime

type VersionCheck = Callable[[int], None]
"""Raises where `If-Match` names another version than the present one."""


def no_check(version: int) -> None:
    """Accept any version."""


class Acts:
    """The base of services that change organizations, inside the unit."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def lock(self, organization_id: OrganizationId) -> Organization:
        """Return a living organization whose rights nobody else changes until the commit; first lock of all.

        Raises:
            OrganizationNotFound: there is none (404).
        """
        return await self._locked(organization_id)

    async def _locked(
        self,
        organization_id: OrganizationId,
        *,
        actor: Principal | None = None,
        permission: OrganizationPermission | None = None,
    ) -> Organization:
        """Return a living organization whose rights nobody else changes until the commit.

        Whoever is given as `actor` must hold the permission still: he may have lost it while he waited for the lock.

        Raises:
            OrganizationNotFound (404), RightsNotHeld (403).
        """
        await Tenants(self._runtime, self._unit).lock(organization_id)
        row = await OrganizationRepository(self._unit.session).get_living(organization_id, lock=True)
        if actor is not None and permission is not None:
            await require_covered(self._runtime, self._unit, actor, organization_id, {permission.value})
        return row

    def _record(
        self,
        action: str,
        organization_id: OrganizationId,
        *,
        actor: Principal | UUID | None,
        subject: tuple[str, UUID] | None = None,
        reason: str | None = None,
        details: dict[str, Any] | None = None,
        changes: Mapping[str, tuple[Any, Any]] | None = None,
    ) -> None:
        record(
            self._runtime,
            self._unit,
            action,
            actor=actor,
            subject=subject or ("organization", organization_id),
            organization_id=organization_id,
            reason=reason,
            details=details,
            changes=changes,
        )

    async def _emit(self, event: Event) -> None:
        await self._runtime.get(EventBus).emit(event, self._unit)
