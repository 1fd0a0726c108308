"""Clients as the protocol meets them: found by `client_id`, remembered in the process until something changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from portico.coordination.cache import BoundedCache
from portico.coordination.revocations import RevocationLog
from portico.oauth.protocol.client_id_metadata import is_document_url
from portico.oauth.protocol.redirect_uris import is_registered
from portico.oauth.protocol.rfc7591_registration import ClientMetadata, metadata_of
from portico.oauth.repositories import ClientRepository, FoundClient
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import (
    AuthMethod,
    ClientKey,
    ClientPolicy,
    ClientSecret,
    ClientSource,
    GrantType,
    Profile,
)
from portico.runtime import Runtime

DOCUMENT_SCHEME = "https://"
"""How a `client_id` begins that is the URL of a metadata document; no other one does (row 8.8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client: what it says of itself, what we decide of it, and the secrets that it may show."""

    key: ClientKey
    client_id: str
    source: ClientSource
    organization_id: UUID | None
    metadata: ClientMetadata
    policy: ClientPolicy
    fingerprint: str
    secrets: tuple[ClientSecret, ...]
    is_off: bool
    document_good_until: datetime | None = None

    @property
    def name(self) -> str:
        """Return what people know it by; its id where it has no name."""
        return self.metadata.client_name or self.client_id

    @property
    def auth_method(self) -> AuthMethod:
        """Return how it proves who it is."""
        return AuthMethod(self.metadata.token_endpoint_auth_method)

    @property
    def is_public(self) -> bool:
        """Tell whether it cannot prove who it is."""
        return self.metadata.is_public

    @property
    def is_fapi(self) -> bool:
        """Tell whether it keeps to the FAPI 2.0 Security Profile."""
        return self.policy.profile is Profile.FAPI2

    @property
    def requires_pkce(self) -> bool:
        """Tell whether it must send a challenge; a public client always must (OAuth 2.1, section 7.5.1)."""
        return self.is_public or self.is_fapi or self.policy.requires_pkce

    def may_use(self, grant: GrantType) -> bool:
        """Tell whether it is registered for a grant type."""
        return grant.value in self.metadata.grant_types

    def has_redirect(self, uri: str) -> bool:
        """Tell whether the browser may be sent there."""
        return is_registered(uri, self.metadata.redirect_uris)

    def needs_refresh(self, now: datetime) -> bool:
        """Tell whether its metadata document must be looked at again."""
        return self.document_good_until is not None and self.document_good_until <= now


class DocumentClients(Protocol):
    """Gets clients from their metadata documents; filled by `services.client_documents`."""

    async def fetch(self, client_id: str) -> None:
        """Fetch the document and write what it says.

        Raises:
            OAuthRefusal: there is none, it is not good, or such clients are not taken (400).
        """
        ...


class UnknownClient(LookupError):
    """There is no such client."""


class ClientBook:
    """The clients of this process's memory; one a process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        settings = runtime.section(OAuthSettings)
        self._documents_on = settings.client_documents
        self._entries: BoundedCache[str, Client] = BoundedCache(
            runtime.get(RevocationLog), settings.cached_clients
        )

    async def find(self, client_id: str) -> Client | None:
        """Return the client, switched off or not; that of a metadata document as its document is now.

        Where documents are not taken any more, those whom nobody looks after are not either.

        Raises:
            OAuthRefusal: the metadata document is not good (400).
        """
        known = self._entries.hit(client_id)
        if known is not None and known.source is not ClientSource.DOCUMENT:
            return known
        client = await self.find_known(client_id)
        if not self._documents_on:
            is_of_document = client is not None and client.source is ClientSource.DOCUMENT
            return None if is_of_document else client
        if not self._names_document(client_id):
            return client
        if client is None or client.needs_refresh(self._runtime.clock.now()):
            await self._runtime.get(DocumentClients).fetch(client_id)
            self._entries.drop(client_id)
            client = await self.find_known(client_id)
        return client

    def _names_document(self, client_id: str) -> bool:
        return is_document_url(client_id, allows_loopback=self._runtime.settings.outbound.allow_loopback)

    async def find_known(self, client_id: str) -> Client | None:
        """Return the client as memory or database has it; nothing is fetched."""
        try:
            return await self._entries.get(client_id, lambda: self._loaded(client_id))
        except UnknownClient:
            return None

    async def find_by_key(self, key: UUID) -> Client | None:
        """Return the client of this principal id, from the database."""
        async with self._runtime.reads() as session:
            found = await ClientRepository(session).find_by_key(key)
        return client_of(found) if found is not None else None

    async def _loaded(self, client_id: str) -> tuple[Client, Sequence[str]]:
        async with self._runtime.reads() as session:
            found = await ClientRepository(session).find_by_client_id(client_id)
        if found is None:
            raise UnknownClient(client_id)
        subjects = [f"client:{found.id}"]
        if found.organization_id is not None:
            subjects.append(f"tenant:{found.organization_id}")
        return client_of(found), subjects


def client_of(found: FoundClient) -> Client:
    """Return the value of what the database has."""
    return Client(
        key=ClientKey(found.id),
        client_id=found.client_id,
        source=found.source,
        organization_id=found.organization_id,
        metadata=metadata_of(found.registered),
        policy=ClientPolicy.of(found.policy),
        fingerprint=found.fingerprint,
        secrets=tuple(
            ClientSecret(id=id_, secret_hash=hash_, expires_at=end, sealed=sealed)
            for id_, hash_, end, sealed in found.secrets
        ),
        is_off=found.is_off,
        document_good_until=found.document_good_until,
    )
