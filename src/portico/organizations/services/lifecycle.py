"""How organizations end and come back: switched off and on by administrators, deleted, restored, erased.

A deleted organization keeps its rows until the grace is over, and every right in it counts for nothing meanwhile. Its
slug is free at once; whoever takes it gets another organization with another id, and inherits nothing.
"""

from datetime import datetime

from portico.access.services import Tenants, roles_held
from portico.access.types import OrganizationRole
from portico.core.ids import OrganizationId
from portico.http.access import NotPermitted, OrganizationNotFound
from portico.http.authentication import Principal
from portico.organizations.events import (
    OrganizationDeleted,
    OrganizationDisabled,
    OrganizationEnabled,
    OrganizationErased,
    OrganizationRestored,
)
from portico.organizations.models import Organization
from portico.organizations.naming import parse_slug
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.repositories import OrganizationRepository, facts_of
from portico.organizations.services.acts import Acts, VersionCheck, no_check
from portico.organizations.settings import OrganizationsSettings
from portico.organizations.types import OrganizationFacts

ERASED_AT_ONCE = 100


class OrganizationLifecycle(Acts):
    """Switches organizations off and on, deletes, restores and erases them."""

    async def disable(self, organization_id: OrganizationId, *, actor: Principal | None) -> OrganizationFacts:
        """Let nobody and nothing act in the organization, keys included, when this is answered.

        Raises:
            OrganizationNotFound: there is none (404).
        """
        async with self._unit:
            row = await self._locked(organization_id)
            if row.disabled_at is None:
                row.disabled_at = row.updated_at = self._runtime.clock.now()
                await Tenants(self._runtime, self._unit).disable(organization_id)
                self._record("organization.disabled", organization_id, actor=actor)
                await self._emit(OrganizationDisabled(at=row.updated_at, organization_id=organization_id))
            return await self._written(row)

    async def enable(self, organization_id: OrganizationId, *, actor: Principal | None) -> OrganizationFacts:
        """Let its members act again.

        Raises:
            OrganizationNotFound: there is none (404).
        """
        async with self._unit:
            row = await self._locked(organization_id)
            if row.disabled_at is not None:
                row.disabled_at, row.updated_at = None, self._runtime.clock.now()
                await Tenants(self._runtime, self._unit).enable(organization_id)
                self._record("organization.enabled", organization_id, actor=actor)
                await self._emit(OrganizationEnabled(at=row.updated_at, organization_id=organization_id))
            return await self._written(row)

    async def delete(
        self,
        organization_id: OrganizationId,
        *,
        actor: Principal | None,
        permission: OrganizationPermission | None = OrganizationPermission.DELETE,
        check_version: VersionCheck = no_check,
        reason: str | None = None,
    ) -> OrganizationFacts:
        """Close the organization; it can be restored until the grace is over.

        Raises:
            OrganizationNotFound (404), RightsNotHeld (403), PreconditionFailed (412).
        """
        async with self._unit:
            row = await self._locked(organization_id, actor=actor, permission=permission)
            check_version(row.version)
            now = self._runtime.clock.now()
            row.deleted_at = row.updated_at = now
            await Tenants(self._runtime, self._unit).disable(organization_id)
            self._record("organization.deleted", organization_id, actor=actor, reason=reason)
            grace = self._runtime.section(OrganizationsSettings).deletion_grace
            event = OrganizationDeleted(at=now, organization_id=organization_id, erased_after=now + grace)
            await self._emit(event)
            return await self._written(row)

    async def restore_own(
        self, organization_id: OrganizationId, *, slug: str | None = None, actor: Principal
    ) -> OrganizationFacts:
        """Open a deleted organization of the caller again.

        Raises:
            OrganizationNotFound: not deleted, erased already, or none of his (404).
            NotPermitted: he belongs to it and does not own it (403).
            SlugTaken: somebody has its slug by now (409); SlugReserved (409), SlugMalformed (422).
        """
        async with self._unit:
            await Tenants(self._runtime, self._unit).lock(organization_id)
            held = (await roles_held(self._unit.session, organization_id, [actor.id]))[actor.id]
            if not held:
                raise OrganizationNotFound
            if OrganizationRole.OWNER.value not in held:
                raise NotPermitted
            return await self.restore(organization_id, slug=slug, actor=actor)

    async def restore(
        self, organization_id: OrganizationId, *, slug: str | None = None, actor: Principal | None
    ) -> OrganizationFacts:
        """Open a deleted organization again, as it was; one that was switched off stays so.

        Raises:
            OrganizationNotFound: not deleted, or erased already (404).
            SlugTaken: somebody has its slug by now (409); SlugReserved (409), SlugMalformed (422).
        """
        wanted = parse_slug(slug) if slug is not None else None
        async with self._unit:
            await Tenants(self._runtime, self._unit).lock(organization_id)
            organizations = OrganizationRepository(self._unit.session)
            row = await organizations.get_deleted(organization_id, lock=True)
            async with organizations.saving():
                row.deleted_at, row.updated_at = None, self._runtime.clock.now()
                if wanted is not None:
                    row.slug, row.slug_key = wanted.text, wanted.key
            if row.disabled_at is None:
                await Tenants(self._runtime, self._unit).enable(organization_id)
            self._record("organization.restored", organization_id, actor=actor)
            await self._emit(OrganizationRestored(at=row.updated_at, organization_id=organization_id))
            return await self._written(row)

    async def erase_if_due(self, organization_id: OrganizationId) -> bool:
        """Erase it if its grace is over, also when it was restored and deleted anew since it was listed."""
        async with self._unit:
            before = self._runtime.clock.now() - self._runtime.section(OrganizationsSettings).deletion_grace
            return await self.erase(organization_id, deleted_before=before)

    async def erase(self, organization_id: OrganizationId, *, deleted_before: datetime | None = None) -> bool:
        """Delete the rows of an organization that is deleted; False if it lives, is erased, or was deleted later.

        Whoever keeps rows under it hears `organization.erased` before and deletes them in the same transaction.
        """
        async with self._unit:
            try:
                await Tenants(self._runtime, self._unit).lock(organization_id)
                row = await OrganizationRepository(self._unit.session).get_deleted(organization_id, lock=True)
            except OrganizationNotFound:
                return False
            if deleted_before is not None and row.deleted_at is not None and row.deleted_at > deleted_before:
                return False
            now = self._runtime.clock.now()
            self._record("organization.erased", organization_id, actor=None)
            await self._emit(OrganizationErased(at=now, organization_id=organization_id))
            await OrganizationRepository(self._unit.session).remove(row)
            await self._unit.session.flush()
            await Tenants(self._runtime, self._unit).remove(organization_id)
            return True

    async def list_to_erase(self, now: datetime) -> list[OrganizationId]:
        """Return some of the organizations whose grace is over, the first deleted first."""
        before = now - self._runtime.section(OrganizationsSettings).deletion_grace
        async with self._runtime.reads() as session:
            found = await OrganizationRepository(session).list_to_erase(before, ERASED_AT_ONCE)
        return [OrganizationId(organization_id) for organization_id in found]

    async def _written(self, row: Organization) -> OrganizationFacts:
        await OrganizationRepository(self._unit.session).flush()
        return facts_of(row)
