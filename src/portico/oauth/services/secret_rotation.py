"""Secrets of clients that follow one another: a new one is good at once, those before it until the overlap ends."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from portico.access.services import Tenants
from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.core.ids import OrganizationId
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.messaging import EventBus
from portico.oauth.errors import ClientHasNoSecret, ClientSecretNotFound, TooManyClientSecrets
from portico.oauth.events import ClientChanged
from portico.oauth.models import OAuthClient
from portico.oauth.protocol.rfc7591_registration import metadata_of
from portico.oauth.repositories import ClientAdministrationRepository, ClientRepository
from portico.oauth.services.client_secrets import IssuedSecret, issue_secret
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import AuthMethod
from portico.runtime import Runtime

MOST_AT_ONCE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """A new secret, and until when those before it are good at most."""

    client_id: str
    secret: IssuedSecret
    previous_until: datetime


class SecretRotation:
    """Adds and removes secrets."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def rotate_secret(
        self,
        key: UUID,
        *,
        overlap: timedelta | None,
        actor: Principal | None,
        organization_id: UUID | None = None,
    ) -> Rotated:
        """Issue a new secret; those before it end when the overlap does, by default that of the settings.

        Raises:
            ClientNotFound: there is none, or none of this organization (404).
            ClientHasNoSecret, TooManyClientSecrets (409).
        """
        now = self._runtime.clock.now()
        until = now + (self._runtime.section(OAuthSettings).secret_overlap if overlap is None else overlap)
        async with self._unit:
            row = await self._locked(key, organization_id)
            method = metadata_of(row.registered).token_endpoint_auth_method
            if not metadata_of(row.registered).has_secret:
                raise ClientHasNoSecret
            await ClientRepository(self._unit.session).end_secrets(key, at=until)
            await self._make_room(key, now)
            is_readable = method == AuthMethod.SECRET_JWT
            secret = await issue_secret(self._runtime, self._unit, key, is_readable=is_readable)
            await self._announce("secret_rotated", row, actor)
        return Rotated(client_id=row.client_id, secret=secret, previous_until=until)

    async def remove_secret(
        self,
        key: UUID,
        secret_id: UUID,
        *,
        actor: Principal | None,
        organization_id: UUID | None = None,
    ) -> None:
        """Delete a secret; it is refused on every node when this is answered.

        Raises:
            ClientNotFound, ClientSecretNotFound (404).
        """
        async with self._unit:
            row = await self._locked(key, organization_id)
            if not await ClientRepository(self._unit.session).delete_secret(key, secret_id):
                raise ClientSecretNotFound
            await self._announce("secret_removed", row, actor)

    async def _locked(self, key: UUID, organization_id: UUID | None) -> OAuthClient:
        if organization_id is not None:
            await Tenants(self._runtime, self._unit).lock(OrganizationId(organization_id))
        clients = ClientAdministrationRepository(self._unit.session)
        return await clients.get_client(key, organization_id, lock=True)

    async def _make_room(self, key: UUID, now: datetime) -> None:
        await ClientAdministrationRepository(self._unit.session).remove_expired_secrets(key, now)
        if len(await ClientRepository(self._unit.session).list_secrets(key)) >= MOST_AT_ONCE:
            raise TooManyClientSecrets

    async def _announce(self, act: str, row: OAuthClient, actor: Principal | None) -> None:
        row.updated_at = self._runtime.clock.now()
        await self._unit.session.flush()
        await self._runtime.get(RevocationLog).append(self._unit, [f"client:{row.id}"])
        record(
            self._runtime,
            self._unit,
            f"oauth.client.{act}",
            actor=actor,
            subject=("oauth_client", row.id),
            organization_id=row.organization_id,
            details={"client_id": row.client_id},
        )
        event = ClientChanged(
            at=row.updated_at, client_key=row.id, client_id=row.client_id, changed=("client_secret",)
        )
        await self._runtime.get(EventBus).emit(event, self._unit)
