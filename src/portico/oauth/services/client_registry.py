"""Writing clients down: one way for all of them, wherever they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from portico.access.services import add_principal
from portico.audit.services import record
from portico.db.unit import Unit
from portico.http.authentication import Principal, PrincipalKind
from portico.messaging import EventBus
from portico.oauth.events import ClientRegistered
from portico.oauth.models import OAuthClient
from portico.oauth.protocol.client_id_metadata import fingerprint
from portico.oauth.protocol.rfc7591_registration import ClientMetadata, as_document
from portico.oauth.repositories import RegistrationRepository
from portico.oauth.services.client_secrets import IssuedSecret, issue_secret
from portico.oauth.types import AuthMethod, ClientKey, ClientPolicy, ClientSource
from portico.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredClient:
    """A client that was just written down, and its secret if it has one: the only moment at which it is known."""

    key: ClientKey
    client_id: str
    metadata: ClientMetadata
    policy: ClientPolicy
    secret: IssuedSecret | None = field(default=None, repr=False)


class ClientRegistry:
    """Writes clients."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def register_client(
        self,
        metadata: ClientMetadata,
        source: ClientSource,
        *,
        policy: ClientPolicy | None = None,
        client_id: str | None = None,
        organization_id: UUID | None = None,
        columns: Mapping[str, Any] | None = None,
        actor: Principal | None = None,
    ) -> RegisteredClient:
        """Write a client, and a secret if it proves itself by one; without a `client_id` it gets its key as one.

        `columns` are further ones of its row, for what only its source knows. On the trail; `ClientRegistered` leaves.

        Raises:
            ClientTaken: another transaction has just written this `client_id`; this one is over.
        """
        now = self._runtime.clock.now()
        chosen = policy or ClientPolicy()
        async with self._unit:
            key = ClientKey(add_principal(self._runtime, self._unit, PrincipalKind.CLIENT))
            await self._unit.settle()
            name = client_id or str(key)
            await RegistrationRepository(self._unit.session).add_row(
                OAuthClient(
                    id=key,
                    client_id=name,
                    source=source,
                    organization_id=organization_id,
                    name=metadata.client_name,
                    registered=as_document(metadata),
                    policy=chosen.as_document(),
                    fingerprint=fingerprint(name, metadata),
                    created_at=now,
                    updated_at=now,
                    **{"created_by": actor.id if actor else None, **(columns or {})},
                )
            )
            secret = None
            if metadata.has_secret:
                readable = metadata.token_endpoint_auth_method == AuthMethod.SECRET_JWT
                secret = await issue_secret(self._runtime, self._unit, key, is_readable=readable)
            await self._announce(key, name, source, organization_id, actor)
        return RegisteredClient(key=key, client_id=name, metadata=metadata, policy=chosen, secret=secret)

    async def _announce(
        self,
        key: ClientKey,
        client_id: str,
        source: ClientSource,
        organization_id: UUID | None,
        actor: Principal | None,
    ) -> None:
        record(
            self._runtime,
            self._unit,
            "oauth.client.registered",
            actor=actor,
            subject=("oauth_client", key),
            organization_id=organization_id,
            details={"client_id": client_id, "source": source.value},
        )
        event = ClientRegistered(
            at=self._runtime.clock.now(),
            client_key=key,
            client_id=client_id,
            source=source,
            organization_id=organization_id,
        )
        await self._runtime.get(EventBus).emit(event, self._unit)
