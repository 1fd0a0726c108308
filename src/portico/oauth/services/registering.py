"""Dynamic registration: clients that make themselves known, and what they may change of it afterwards.

RFC 7591 and RFC 7592. Who registers by an initial access token is somebody's acquaintance and may have what clients of
administrators may; whoever comes without one, where that is open, gets what strangers get, also when it changes
something later. Documents that metadata refers to are fetched before the transaction, never inside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.core.crypto import same
from portico.db.unit import Unit
from portico.messaging import Event, EventBus
from portico.oauth.errors import OAuthRefusal
from portico.oauth.events import ClientChanged
from portico.oauth.models import OAuthClient
from portico.oauth.protocol.client_id_metadata import fingerprint
from portico.oauth.protocol.oidc_pairwise import MAX_SECTOR_DOCUMENT, check_sector_document
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc7591_registration import (
    ClientMetadata,
    RegistrationPolicy,
    as_document,
    metadata_of,
    read_metadata,
)
from portico.oauth.repositories import ClientRepository, InitialTokenRepository, RegistrationRepository
from portico.oauth.services.client_ending import delete_client
from portico.oauth.services.client_registry import ClientRegistry
from portico.oauth.services.client_secrets import IssuedSecret, issue_secret
from portico.oauth.services.fetching import NotFetched, fetch_json
from portico.oauth.services.names import without_our_name
from portico.oauth.services.registration_policies import policy_of_known, policy_of_strangers
from portico.oauth.services.server_metadata import registration_of
from portico.oauth.services.unused_clients import make_room
from portico.oauth.settings import DynamicRegistration
from portico.oauth.types import (
    CLIENT_SECRETS,
    INITIAL_ACCESS_TOKENS,
    REGISTRATION_TOKENS,
    AuthMethod,
    ClientSource,
    GrantEnd,
)
from portico.runtime import Runtime
from portico.tokens.secret_format import NotASecret, SecretFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A client as its registration answers: the tokens and the secret are there once, when they are new."""

    client_id: str
    issued_at: datetime
    metadata: ClientMetadata
    registration_token: str = field(repr=False)
    secret: IssuedSecret | None = None


class Registering:
    """Registers clients, and lets them look at themselves, change themselves and go."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def register(self, given: Mapping[str, Any], *, token: str | None) -> Registration:
        """Register a client (RFC 7591, section 3); `token` is an initial access token.

        Raises:
            OAuthRefusal: registration is off (404), the token is missing or not good (401), or there are too many
                clients (503).
            Refused: what RFC 7591, section 3.2.2, has codes for.
        """
        mode = registration_of(self._runtime)
        if mode is DynamicRegistration.OFF:
            raise OAuthRefusal(
                ErrorCode.REGISTRATION_NOT_SUPPORTED, "clients cannot register themselves here", status=404
            )
        token_hash = _hash_of(INITIAL_ACCESS_TOKENS, token)
        if mode is DynamicRegistration.TOKEN and token_hash is None:
            raise _unauthorized(token)
        is_known = token_hash is not None
        metadata = await self._read(given, await self._policy(is_known=is_known))
        async with self._unit:
            known_by = None if token_hash is None else await self._take(token_hash)
            await make_room(self._runtime, self._unit, ClientSource.DYNAMIC)
            return await self._write(metadata, known_by)

    async def show(self, client_id: str, token: str | None) -> Registration:
        """Return a registration to its client (RFC 7592, section 2.1).

        Raises:
            OAuthRefusal: no such client, or another token (401).
        """
        async with self._runtime.reads() as session:
            row = await RegistrationRepository(session).find_row(client_id)
            return _registration(self._proven(row, token), str(token))

    async def change(self, client_id: str, given: Mapping[str, Any], token: str | None) -> Registration:
        """Replace what a client said of itself (RFC 7592, section 2.2); what is left out is gone.

        The policy of its first registration is asked again, all of it. A client that had no secret and needs one now
        gets one; one that needs none any more loses it.

        Raises:
            OAuthRefusal: no such client, or another token (401).
            Refused: as for a new one, or it names another client or secret (400).
        """
        async with self._runtime.reads() as session:
            row = self._proven(await RegistrationRepository(session).find_row(client_id), token)
            is_known = row.created_by is not None
        if given.get("client_id") != client_id:
            raise Refused(ErrorCode.INVALID_CLIENT_METADATA, "client_id is not that of this registration")
        metadata = await self._read(given, await self._policy(is_known=is_known))
        async with self._unit:
            registrations = RegistrationRepository(self._unit.session)
            row = self._proven(await registrations.find_row(client_id, lock=True), token)
            await self._check_secret(row, given)
            return await self._rewrite(row, metadata, str(token))

    async def remove(self, client_id: str, token: str | None) -> None:
        """Delete a client and everything that was granted to it (RFC 7592, section 2.3).

        Raises:
            OAuthRefusal: no such client, or another token (401).
        """
        async with self._unit:
            registrations = RegistrationRepository(self._unit.session)
            row = self._proven(await registrations.find_row(client_id, lock=True), token)
            await delete_client(
                self._runtime, self._unit, row.id, client_id, reason=GrantEnd.REVOKED_BY_CLIENT
            )

    async def _policy(self, *, is_known: bool) -> RegistrationPolicy:
        return await (policy_of_known if is_known else policy_of_strangers)(self._runtime)

    async def _read(self, given: Mapping[str, Any], policy: RegistrationPolicy) -> ClientMetadata:
        metadata = read_metadata(given, policy)
        if metadata.sector_identifier_uri is not None:
            await check_sector(self._runtime, metadata.sector_identifier_uri, metadata)
        return without_our_name(self._runtime, metadata)

    async def _take(self, token_hash: bytes) -> UUID:
        found = await InitialTokenRepository(self._unit.session).take(token_hash, self._runtime.clock.now())
        if found is None:
            raise _unauthorized("unknown")
        return found

    async def _write(self, metadata: ClientMetadata, known_by: UUID | None) -> Registration:
        token = REGISTRATION_TOKENS.make(self._runtime.entropy)
        registered = await ClientRegistry(self._runtime, self._unit).register_client(
            metadata,
            ClientSource.DYNAMIC,
            columns={"created_by": known_by, "registration_hash": REGISTRATION_TOKENS.hash_of(token)},
        )
        return Registration(
            client_id=registered.client_id,
            issued_at=self._runtime.clock.now(),
            metadata=metadata,
            registration_token=token,
            secret=registered.secret,
        )

    async def _rewrite(self, row: OAuthClient, metadata: ClientMetadata, token: str) -> Registration:
        now, before = self._runtime.clock.now(), metadata_of(row.registered)
        changed = changed_members(before, metadata)
        if not changed:
            return _registration(row, token)
        row.registered, row.name = as_document(metadata), metadata.client_name
        row.fingerprint, row.updated_at = fingerprint(row.client_id, metadata), now
        secret = None
        if before.has_secret and not metadata.has_secret:
            await RegistrationRepository(self._unit.session).remove_secrets(row.id)
        elif metadata.has_secret and _needs_new_secret(before, metadata):
            await RegistrationRepository(self._unit.session).remove_secrets(row.id)
            secret = await self._secret_for(row, metadata)
        await self._runtime.get(RevocationLog).append(self._unit, [f"client:{row.id}"])
        self._record("changed", row, {"members": list(changed)})
        await self._emit(ClientChanged(at=now, client_key=row.id, client_id=row.client_id, changed=changed))
        return _registration(row, token, secret)

    async def _secret_for(self, row: OAuthClient, metadata: ClientMetadata) -> IssuedSecret | None:
        if not metadata.has_secret:
            return None
        is_readable = metadata.token_endpoint_auth_method == AuthMethod.SECRET_JWT
        return await issue_secret(self._runtime, self._unit, row.id, is_readable=is_readable)

    async def _check_secret(self, row: OAuthClient, given: Mapping[str, Any]) -> None:
        """RFC 7592, section 2.2: a secret that is sent must be the present one; nobody chooses it."""
        if given.get("client_secret") is None:
            return
        shown, now = _hash_of(CLIENT_SECRETS, given["client_secret"]), self._runtime.clock.now()
        kept = await ClientRepository(self._unit.session).list_secrets(row.id)
        live = [each.secret_hash for each in kept if each.expires_at is None or now < each.expires_at]
        if shown is None or not any(same(shown, each) for each in live):
            raise Refused(ErrorCode.INVALID_CLIENT_METADATA, "client_secret is not that of this client")

    def _proven(self, row: OAuthClient | None, token: str | None) -> OAuthClient:
        """Return the client if the token is its own; else the answer is the same whatever is wrong (section 2.1)."""
        shown = _hash_of(REGISTRATION_TOKENS, token)
        kept = row.registration_hash if row is not None else None
        if row is None or shown is None or kept is None or not same(shown, kept):
            raise _unauthorized(token)
        if row.disabled_at is not None:
            raise OAuthRefusal(ErrorCode.ACCESS_DENIED, "the client is switched off", status=403)
        return row

    async def _emit(self, event: Event) -> None:
        await self._runtime.get(EventBus).emit(event, self._unit)

    def _record(self, act: str, row: OAuthClient, details: dict[str, Any] | None = None) -> None:
        record(
            self._runtime,
            self._unit,
            f"oauth.client.{act}",
            subject=("oauth_client", row.id),
            details={"client_id": row.client_id, "source": row.source.value, **(details or {})},
        )


async def check_sector(runtime: Runtime, uri: str, metadata: ClientMetadata) -> None:
    """Refuse a client whose redirect URIs its sector document does not name (OpenID Connect Registration 1.0, 5).

    Raises:
        Refused: invalid_client_metadata; it does not, or it cannot be had.
    """
    try:
        fetched = await fetch_json(runtime, uri, most=MAX_SECTOR_DOCUMENT)
    except NotFetched as error:
        raise Refused(ErrorCode.INVALID_CLIENT_METADATA, f"sector_identifier_uri {error.reason}") from None
    check_sector_document(fetched.body, metadata.redirect_uris)


def changed_members(before: ClientMetadata, after: ClientMetadata) -> tuple[str, ...]:
    """Return the names of the members that differ, in order."""
    old, new = as_document(before), as_document(after)
    return tuple(sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name)))


def _registration(row: OAuthClient, token: str, secret: IssuedSecret | None = None) -> Registration:
    return Registration(
        client_id=row.client_id,
        issued_at=row.created_at,
        metadata=metadata_of(row.registered),
        registration_token=token,
        secret=secret,
    )


def _needs_new_secret(before: ClientMetadata, after: ClientMetadata) -> bool:
    """Tell whether the secret that it has would not do: it has none, or it must be kept in another way."""
    if not before.has_secret:
        return True
    methods = {before.token_endpoint_auth_method, after.token_endpoint_auth_method}
    return AuthMethod.SECRET_JWT in methods and len(methods) == 2


def _hash_of(kind: SecretFormat, text: Any) -> bytes | None:
    try:
        return kind.hash_of(text) if isinstance(text, str) else None
    except NotASecret:
        return None


def _unauthorized(token: str | None) -> OAuthRefusal:
    """RFC 6750, section 3.1: without a token there is nothing wrong with it."""
    if token is None:
        return OAuthRefusal(
            ErrorCode.INVALID_TOKEN, "a token is needed", status=401, headers={"WWW-Authenticate": "Bearer"}
        )
    challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return OAuthRefusal(ErrorCode.INVALID_TOKEN, "the token is not good here", status=401, headers=challenge)
