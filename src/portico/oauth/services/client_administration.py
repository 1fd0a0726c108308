"""What administrators and organizations do with clients: register, see, change, switch, delete.

An organization's clients are administered alike; `organization_id` leaves all others out. Documents that metadata
refers to are fetched before the transaction, never inside it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from portico.access.services import Grants as PlatformGrants, Tenants
from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.core.errors import PreconditionFailed
from portico.core.ids import OrganizationId, PrincipalId
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.http.pagination import Cursors, Page, PageQuery
from portico.messaging import Event, EventBus
from portico.oauth.errors import ClientDescribesItself, TooManyClients
from portico.oauth.events import ClientChanged, ClientDisabled, ClientEnabled
from portico.oauth.models import OAuthClient, OAuthClientSecret
from portico.oauth.protocol.client_id_metadata import fingerprint
from portico.oauth.protocol.refusals import Refused
from portico.oauth.protocol.rfc7591_members import AUTHORIZATION_CODE
from portico.oauth.protocol.rfc7591_registration import (
    CLIENT_CREDENTIALS,
    DEVICE_CODE,
    REFRESH_TOKEN,
    ClientMetadata,
    RegistrationPolicy,
    as_document,
    metadata_of,
    read_metadata,
)
from portico.oauth.repositories import (
    ClientAdministrationRepository,
    ClientRepository,
    RegistrationRepository,
)
from portico.oauth.schemas.clients import ClientSummaryResponse
from portico.oauth.schemas.grants import ClientGrantResponse
from portico.oauth.services.client_ending import delete_client
from portico.oauth.services.client_policies import Decided, check_decided, invalid_of, refuse_replaced
from portico.oauth.services.client_presets import preset_of
from portico.oauth.services.client_registry import ClientRegistry
from portico.oauth.services.client_secrets import IssuedSecret, issue_secret
from portico.oauth.services.grants import Grants
from portico.oauth.services.names import without_our_name
from portico.oauth.services.registering import changed_members, check_sector
from portico.oauth.services.registration_policies import policy_of_known
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import AuthMethod, ClientFilter, ClientKind, ClientPolicy, ClientSource, GrantEnd
from portico.runtime import Runtime

type VersionCheck = Callable[[int], None]
"""Raises where `If-Match` names another version than the present one."""

SUBJECT = "oauth_client"
OF_ORGANIZATIONS = frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE, CLIENT_CREDENTIALS})
"""Grant types that an organization's own client may have; the others speak for people who were asked elsewhere."""
DESCRIBED_HERE = frozenset({ClientSource.ADMINISTRATOR, ClientSource.ORGANIZATION})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientWish:
    """A client as wished for: members of its metadata (RFC 7591) and fields of its policy, those that are said.

    What a new one's `kind` begins with is overridden by them; of one that there is, None takes a member away and brings
    a field of the policy back to what everybody has.
    """

    metadata: Mapping[str, Any]
    policy: Mapping[str, Any] = field(default_factory=dict)
    kind: ClientKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientView:
    """A client, the secrets that it may show, and the text of a new one: the only moment at which it is known."""

    row: OAuthClient
    secrets: Sequence[OAuthClientSecret]
    issued: IssuedSecret | None = None


class ClientAdministration:
    """Administers clients: all of them, or an organization's own."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def list_clients(
        self, query: PageQuery, wanted: ClientFilter, *, route: str
    ) -> Page[ClientSummaryResponse]:
        """Return one page of clients.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        cursors = Cursors.of(self._runtime)
        async with self._runtime.reads() as session:
            clients = ClientAdministrationRepository(session)
            found = await clients.list_clients(wanted, query, cursors, route=route)
        return found.to_page(ClientSummaryResponse.of)

    async def get_client(self, key: UUID, *, organization_id: UUID | None = None) -> ClientView:
        """Return a client.

        Raises:
            ClientNotFound: there is none, or none of this organization (404).
        """
        async with self._runtime.reads() as session:
            row = await ClientAdministrationRepository(session).get_client(key, organization_id)
            kept = await ClientRepository(session).list_secrets(key)
        return ClientView(row=row, secrets=self._living(kept))

    async def list_grants(
        self, key: UUID, query: PageQuery, *, living: bool | None, route: str
    ) -> Page[ClientGrantResponse]:
        """Return one page of what was granted to a client.

        Raises:
            ClientNotFound: there is none (404).
            CursorInvalid: the cursor is of another list (400).
        """
        cursors = Cursors.of(self._runtime)
        async with self._runtime.reads() as session:
            clients = ClientAdministrationRepository(session)
            await clients.get_client(key)
            found = await clients.list_grants(key, query, cursors, living=living, route=route)
        return found.to_page(ClientGrantResponse.of)

    async def create_client(
        self, wish: ClientWish, *, actor: Principal | None, organization_id: UUID | None = None
    ) -> ClientView:
        """Register a client; it gets a secret if it proves itself by one.

        Raises:
            ClientMetadataInvalid: `errors` says what is wrong with it (400).
            TooManyClients: the organization has as many as the limit allows (409).
        """
        source = ClientSource.ORGANIZATION if organization_id else ClientSource.ADMINISTRATOR
        preset = preset_of(wish.kind)
        given = {**preset.metadata, **_said(wish.metadata)}
        metadata = await self._read(given, given, source)
        policy = _changed_policy(preset.policy, wish.policy)
        await check_decided(self._runtime, Decided(metadata, policy, source))
        async with self._unit:
            if organization_id is not None:
                await self._check_room(OrganizationId(organization_id))
            made = await ClientRegistry(self._runtime, self._unit).register_client(
                metadata, source, policy=policy, organization_id=organization_id, actor=actor
            )
            clients = ClientAdministrationRepository(self._unit.session)
            return await self._view(await clients.get_client(made.key), made.secret)

    async def change_client(
        self,
        key: UUID,
        wish: ClientWish,
        *,
        check_version: VersionCheck,
        actor: Principal | None,
        organization_id: UUID | None = None,
    ) -> ClientView:
        """Change what a client is or what is decided of it; it gets a secret if it needs one now and had none.

        Raises:
            ClientNotFound (404), PreconditionFailed (412).
            ClientMetadataInvalid: `errors` says what is wrong with it (400).
            ClientDescribesItself: it registered itself, or its document speaks for it (409).
        """
        seen = await self.get_client(key, organization_id=organization_id)
        check_version(seen.row.version)
        if wish.metadata and seen.row.source not in DESCRIBED_HERE:
            raise ClientDescribesItself
        before = metadata_of(seen.row.registered)
        metadata = before
        if wish.metadata:
            metadata = await self._read(_merged(before, wish.metadata), wish.metadata, seen.row.source)
        policy = _changed_policy(ClientPolicy.of(seen.row.policy), wish.policy)
        await check_decided(self._runtime, Decided(metadata, policy, seen.row.source))
        async with self._unit:
            row = await self._locked(key, organization_id)
            _require_unchanged(check_version, row, seen.row)
            changed = (*changed_members(before, metadata), *_changed_fields(row, policy))
            issued = await self._write(row, before, metadata, policy) if changed else None
            if changed:
                await self._announce_change(row, changed, actor)
            return await self._view(row, issued)

    async def delete_client(
        self,
        key: UUID,
        *,
        check_version: VersionCheck,
        actor: Principal | None,
        organization_id: UUID | None = None,
    ) -> None:
        """Delete a client; everything that was granted to it ends.

        Raises:
            ClientNotFound (404), PreconditionFailed (412).
        """
        async with self._unit:
            row = await self._locked(key, organization_id)
            check_version(row.version)
            await delete_client(
                self._runtime,
                self._unit,
                key,
                row.client_id,
                organization_id=row.organization_id,
                actor=actor,
            )

    async def disable_client(
        self, key: UUID, *, actor: Principal | None, organization_id: UUID | None = None
    ) -> ClientView:
        """Switch a client off: what was granted to it ends, on every node when this is answered. Twice is as once.

        Raises:
            ClientNotFound: there is none, or none of this organization (404).
        """
        async with self._unit:
            row = await self._locked(key, organization_id)
            if row.disabled_at is None:
                row.disabled_at = row.updated_at = self._runtime.clock.now()
                await self._unit.session.flush()
                await PlatformGrants(self._runtime, self._unit).disable(PrincipalId(key))
                await Grants(self._runtime, self._unit).end_of_client(
                    key, GrantEnd.CLIENT_DISABLED, actor=actor
                )
                event = ClientDisabled(at=self._runtime.clock.now(), client_key=key, client_id=row.client_id)
                await self._switched("disabled", row, event, actor)
            return await self._view(row)

    async def enable_client(
        self, key: UUID, *, actor: Principal | None, organization_id: UUID | None = None
    ) -> ClientView:
        """Switch a client on again; what was ended stays ended.

        Raises:
            ClientNotFound: there is none, or none of this organization (404).
        """
        async with self._unit:
            row = await self._locked(key, organization_id)
            if row.disabled_at is not None:
                row.disabled_at, row.updated_at = None, self._runtime.clock.now()
                await self._unit.session.flush()
                await PlatformGrants(self._runtime, self._unit).enable(PrincipalId(key))
                event = ClientEnabled(at=row.updated_at, client_key=key, client_id=row.client_id)
                await self._switched("enabled", row, event, actor)
            return await self._view(row)

    async def _read(
        self, given: Mapping[str, Any], asked: Mapping[str, Any], source: ClientSource
    ) -> ClientMetadata:
        try:
            metadata = read_metadata(given, await self._offered(source))
            if metadata.sector_identifier_uri is not None:
                await check_sector(self._runtime, metadata.sector_identifier_uri, metadata)
        except Refused as refused:
            raise invalid_of(refused) from None
        refuse_replaced(asked, metadata)
        return metadata if source is ClientSource.ADMINISTRATOR else without_our_name(self._runtime, metadata)

    async def _offered(self, source: ClientSource) -> RegistrationPolicy:
        offered = await policy_of_known(self._runtime)
        if source is ClientSource.ORGANIZATION:
            return replace(offered, grant_types=offered.grant_types & OF_ORGANIZATIONS)
        return offered

    async def _check_room(self, organization_id: OrganizationId) -> None:
        await Tenants(self._runtime, self._unit).lock(organization_id)
        clients = ClientAdministrationRepository(self._unit.session)
        most = self._runtime.section(OAuthSettings).max_organization_clients
        if await clients.count_of_organization(organization_id) >= most:
            raise TooManyClients

    async def _write(
        self, row: OAuthClient, before: ClientMetadata, after: ClientMetadata, policy: ClientPolicy
    ) -> IssuedSecret | None:
        row.registered, row.name = as_document(after), after.client_name
        row.policy, row.fingerprint = policy.as_document(), fingerprint(row.client_id, after)
        row.updated_at = self._runtime.clock.now()
        await self._unit.session.flush()
        if before.token_endpoint_auth_method == after.token_endpoint_auth_method:
            return None
        return await self._fit_secrets(row.id, before, after)

    async def _fit_secrets(
        self, key: UUID, before: ClientMetadata, after: ClientMetadata
    ) -> IssuedSecret | None:
        """Take away secrets that are of no use any more, and issue one that it needs now (readable or not)."""
        readable = AuthMethod.SECRET_JWT in {
            before.token_endpoint_auth_method,
            after.token_endpoint_auth_method,
        }
        if before.has_secret and after.has_secret and not readable:
            return None
        await RegistrationRepository(self._unit.session).remove_secrets(key)
        if not after.has_secret:
            return None
        is_readable = after.token_endpoint_auth_method == AuthMethod.SECRET_JWT
        return await issue_secret(self._runtime, self._unit, key, is_readable=is_readable)

    async def _announce_change(
        self, row: OAuthClient, changed: tuple[str, ...], actor: Principal | None
    ) -> None:
        event = ClientChanged(at=row.updated_at, client_key=row.id, client_id=row.client_id, changed=changed)
        await self._switched("changed", row, event, actor, {"members": list(changed)})

    async def _switched(
        self,
        act: str,
        row: OAuthClient,
        event: Event,
        actor: Principal | None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        await self._runtime.get(RevocationLog).append(self._unit, [f"client:{row.id}"])
        record(
            self._runtime,
            self._unit,
            f"oauth.client.{act}",
            actor=actor,
            subject=(SUBJECT, row.id),
            organization_id=row.organization_id,
            details={"client_id": row.client_id, "source": row.source.value, **(details or {})},
        )
        await self._runtime.get(EventBus).emit(event, self._unit)

    async def _locked(self, key: UUID, organization_id: UUID | None) -> OAuthClient:
        if organization_id is not None:
            await Tenants(self._runtime, self._unit).lock(OrganizationId(organization_id))
        clients = ClientAdministrationRepository(self._unit.session)
        return await clients.get_client(key, organization_id, lock=True)

    async def _view(self, row: OAuthClient, issued: IssuedSecret | None = None) -> ClientView:
        kept = await ClientRepository(self._unit.session).list_secrets(row.id)
        return ClientView(row=row, secrets=self._living(kept), issued=issued)

    def _living(self, kept: Sequence[OAuthClientSecret]) -> Sequence[OAuthClientSecret]:
        now = self._runtime.clock.now()
        return [each for each in kept if each.expires_at is None or now < each.expires_at]


def _said(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a new client that say something; null says that nothing is said."""
    return {name: value for name, value in members.items() if value is not None}


def _merged(before: ClientMetadata, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata with its changes; response types follow from the grant types unless they are named."""
    document = {name: value for name, value in as_document(before).items() if name != "response_types"}
    return _said({**document, **changes})


def _changed_policy(before: ClientPolicy, changes: Mapping[str, Any]) -> ClientPolicy:
    return ClientPolicy.of(_said({**before.as_document(), **changes}))


def _changed_fields(row: OAuthClient, policy: ClientPolicy) -> tuple[str, ...]:
    before, after = ClientPolicy.of(row.policy).as_document(), policy.as_document()
    return tuple(f"policy.{name}" for name in after if before[name] != after[name])


def _require_unchanged(check_version: VersionCheck, row: OAuthClient, seen: OAuthClient) -> None:
    """Go on only with the client that was judged.

    Raises:
        PreconditionFailed: somebody changed it in between (412).
    """
    check_version(row.version)
    if row.version != seen.version:
        raise PreconditionFailed
