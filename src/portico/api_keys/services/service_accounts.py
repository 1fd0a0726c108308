"""Service accounts: principals of an organization that are no people. They have roles and keys, and never sign in.

What they hold is granted like what members hold (`TenantGrants`), and measured by what the actor holds.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any
from uuid import UUID

from portico.access.services import Grants, TenantGrants, Tenants, add_principal, roles_held
from portico.api_keys.errors import TooManyServiceAccounts
from portico.api_keys.events import ServiceAccountCreated, ServiceAccountDeleted, ServiceAccountDisabled
from portico.api_keys.models import ServiceAccount
from portico.api_keys.repositories import ServiceAccountRepository
from portico.api_keys.services.ending import KeyEnding
from portico.api_keys.settings import ApiKeysSettings
from portico.api_keys.types import KeyEnd, NewServiceAccount, ServiceAccountView
from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.core.ids import OrganizationId, PrincipalId
from portico.db.unit import Unit
from portico.http.authentication import Principal, PrincipalKind
from portico.http.pagination import Cursors, Page, PageQuery
from portico.messaging import Event, EventBus
from portico.runtime import Runtime

type VersionCheck = Callable[[int], None]

KIND = "service_account"


class ServiceAccounts:
    """Makes, lists, changes, switches and deletes service accounts of one organization."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def list_accounts(
        self, organization_id: OrganizationId, query: PageQuery
    ) -> Page[ServiceAccountView]:
        """Return one page of an organization's service accounts with their roles.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        async with self._runtime.reads() as session:
            accounts = ServiceAccountRepository(session)
            found = await accounts.list_accounts(organization_id, query, Cursors.of(self._runtime))
            roles = await roles_held(session, organization_id, [row.id for row in found.rows])
        return found.to_page(lambda row: view_of(row, roles[row.id]))

    async def get_account(self, organization_id: OrganizationId, account_id: UUID) -> ServiceAccountView:
        """Return one with its roles.

        Raises:
            ServiceAccountNotFound: none of this organization's (404).
        """
        async with self._runtime.reads() as session:
            row = await ServiceAccountRepository(session).get_account(organization_id, account_id)
            return view_of(row, (await roles_held(session, organization_id, [account_id]))[account_id])

    async def create_account(
        self, organization_id: OrganizationId, new: NewServiceAccount, *, actor: Principal | None
    ) -> ServiceAccountView:
        """Make one, with its first roles; without any it may do nothing yet. Without an `actor` nobody is measured.

        Raises:
            TooManyServiceAccounts: the organization has as many as the limit allows (409).
            RoleNotFound (404), RightsNotHeld (403): as `TenantGrants.set_roles`.
        """
        runtime, now = self._runtime, self._runtime.clock.now()
        async with self._unit:
            await Tenants(runtime, self._unit).lock(organization_id)
            if actor is not None:  # before anything is written, because this refusal is kept on the trail
                grants = TenantGrants(runtime, self._unit)
                await grants.require_grantable(organization_id, new.roles, actor=actor)
            accounts = ServiceAccountRepository(self._unit.session)
            if await accounts.count_of(organization_id) >= self._settings.max_service_accounts:
                raise TooManyServiceAccounts
            account_id = add_principal(runtime, self._unit, PrincipalKind.SERVICE_ACCOUNT)
            await accounts.flush()
            row = ServiceAccount(
                id=account_id,
                organization_id=organization_id,
                name=new.name,
                description=new.description,
                created_by=actor.id if actor else None,
                created_at=now,
                updated_at=now,
            )
            accounts.add(row)
            await accounts.flush()
            self._record("created", row, actor)
            roles = await self._set_roles(row, new.roles, actor)
            await self._emit(
                ServiceAccountCreated(at=now, service_account_id=row.id, organization_id=organization_id)
            )
        return view_of(row, roles)

    async def change_account(
        self,
        organization_id: OrganizationId,
        account_id: UUID,
        values: Mapping[str, Any],
        *,
        check_version: VersionCheck,
        actor: Principal,
    ) -> ServiceAccountView:
        """Change `name` or `description`.

        Raises:
            ServiceAccountNotFound (404), PreconditionFailed (412).
        """
        async with self._unit:
            row = await self._locked(organization_id, account_id)
            check_version(row.version)
            for name, value in values.items():
                setattr(row, name, value)
            row.updated_at = self._runtime.clock.now()
            await self._unit.session.flush()
            self._record("updated", row, actor, details={"fields": sorted(values)})
            return view_of(row, await self._roles(row))

    async def set_roles(
        self,
        organization_id: OrganizationId,
        account_id: UUID,
        roles: Collection[str],
        *,
        actor: Principal,
    ) -> ServiceAccountView:
        """Have a service account hold these roles and no others.

        Raises:
            ServiceAccountNotFound, RoleNotFound (404), RightsNotHeld (403).
        """
        async with self._unit:
            row = await self._locked(organization_id, account_id)
            return view_of(row, await self._set_roles(row, roles, actor))

    async def disable_account(
        self, organization_id: OrganizationId, account_id: UUID, *, actor: Principal
    ) -> ServiceAccountView:
        """Switch one off: its keys are refused on every node when this is answered, until it is switched on again.

        Raises:
            ServiceAccountNotFound: none of this organization's (404).
        """
        async with self._unit:
            row = await self._locked(organization_id, account_id)
            if row.disabled_at is None:
                now = self._runtime.clock.now()
                row.disabled_at, row.updated_at = now, now
                await Grants(self._runtime, self._unit).disable(PrincipalId(account_id))
                await self._switched("disabled", row, actor)
                event = ServiceAccountDisabled(
                    at=now, service_account_id=row.id, organization_id=row.organization_id
                )
                await self._emit(event)
            return view_of(row, await self._roles(row))

    async def enable_account(
        self, organization_id: OrganizationId, account_id: UUID, *, actor: Principal
    ) -> ServiceAccountView:
        """Switch one on again.

        Raises:
            ServiceAccountNotFound: none of this organization's (404).
        """
        async with self._unit:
            row = await self._locked(organization_id, account_id)
            if row.disabled_at is not None:
                row.disabled_at, row.updated_at = None, self._runtime.clock.now()
                await Grants(self._runtime, self._unit).enable(PrincipalId(account_id))
                await self._switched("enabled", row, actor)
            return view_of(row, await self._roles(row))

    async def delete_account(
        self,
        organization_id: OrganizationId,
        account_id: UUID,
        *,
        check_version: VersionCheck,
        actor: Principal,
    ) -> None:
        """Delete one: its keys end, its roles go.

        Raises:
            ServiceAccountNotFound (404), PreconditionFailed (412).
            RightsNotHeld: it holds what the actor lacks (403).
        """
        runtime, unit, now = self._runtime, self._unit, self._runtime.clock.now()
        async with unit:
            row = await self._locked(organization_id, account_id)
            check_version(row.version)
            await TenantGrants(runtime, unit).put_out(organization_id, account_id, actor=actor, kind=KIND)
            await KeyEnding(runtime, unit).end(
                reason=KeyEnd.SERVICE_ACCOUNT_CLOSED, principal_id=account_id, actor=actor
            )
            await Grants(runtime, unit).disable(PrincipalId(account_id))
            row.deleted_at, row.updated_at = now, now
            await self._switched("deleted", row, actor)
            await self._emit(
                ServiceAccountDeleted(at=now, service_account_id=row.id, organization_id=organization_id)
            )

    @property
    def _settings(self) -> ApiKeysSettings:
        return self._runtime.section(ApiKeysSettings)

    async def _locked(self, organization_id: OrganizationId, account_id: UUID) -> ServiceAccount:
        await Tenants(self._runtime, self._unit).lock(organization_id)
        accounts = ServiceAccountRepository(self._unit.session)
        return await accounts.get_account(organization_id, account_id, lock=True)

    async def _set_roles(
        self, row: ServiceAccount, roles: Collection[str], actor: Principal | None
    ) -> tuple[str, ...]:
        grants = TenantGrants(self._runtime, self._unit)
        return await grants.set_roles(
            OrganizationId(row.organization_id), row.id, roles, actor=actor, kind=KIND
        )

    async def _roles(self, row: ServiceAccount) -> tuple[str, ...]:
        held = await roles_held(self._unit.session, OrganizationId(row.organization_id), [row.id])
        return held[row.id]

    async def _switched(self, act: str, row: ServiceAccount, actor: Principal) -> None:
        await self._unit.session.flush()
        self._record(act, row, actor)
        await self._runtime.get(RevocationLog).append(self._unit, [f"user:{row.id}"])

    async def _emit(self, event: Event) -> None:
        await self._runtime.get(EventBus).emit(event, self._unit)

    def _record(
        self,
        act: str,
        row: ServiceAccount,
        actor: Principal | None,
        *,
        details: dict[str, Any] | None = None,
    ) -> None:
        record(
            self._runtime,
            self._unit,
            f"service_account.{act}",
            actor=actor,
            subject=(KIND, row.id),
            organization_id=row.organization_id,
            details=details,
        )


def view_of(row: ServiceAccount, roles: tuple[str, ...]) -> ServiceAccountView:
    """Return a service account as callers see it."""
    return ServiceAccountView(
        id=row.id,
        organization_id=row.organization_id,
        name=row.name,
        description=row.description,
        roles=roles,
        disabled_at=row.disabled_at,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
    )
