"""Secrets of clients: made here, shown once, kept as SHA-256."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.oauth.repositories import ClientRepository
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import CLIENT_SECRETS
from portico.runtime import Runtime

HINT_LENGTH = 8
SEALING_KEY = "oauth.client_secret"


@dataclass(frozen=True, slots=True)
class IssuedSecret:
    """A new secret, as its client keeps it; `expires_at` is None if it has no end."""

    text: str = field(repr=False)
    expires_at: datetime | None


async def issue_secret(runtime: Runtime, unit: Unit, client_key: UUID, *, is_readable: bool) -> IssuedSecret:
    """Write a new secret of a client in the open transaction and return it; there is no second time.

    `is_readable` also keeps it sealed, for clients that sign assertions with it (`client_secret_jwt`).
    """
    text, secret_id, now = CLIENT_SECRETS.make(runtime.entropy), new_id(), runtime.clock.now()
    lifetime = runtime.section(OAuthSettings).client_secret_lifetime
    issued = IssuedSecret(text, None if lifetime is None else now + lifetime)
    sealed = None
    if is_readable:
        sealed = runtime.secret.seal(
            SEALING_KEY, text.encode(), context=secret_id.bytes, entropy=runtime.entropy
        )
    await ClientRepository(unit.session).add_secret(
        id=secret_id,
        client_key=client_key,
        secret_hash=CLIENT_SECRETS.hash_of(text),
        hint=text[:HINT_LENGTH],
        sealed=sealed,
        created_at=now,
        expires_at=issued.expires_at,
    )
    return issued
