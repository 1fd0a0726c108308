"""What signing keys contribute to the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from portico.coordination.revocations import RevocationLog
from portico.core.crypto import LastingSecret
from portico.feature import Feature
from portico.keys.jobs import follow_keys, rotate_old_keys
from portico.keys.models import SigningKey, StoredKey
from portico.keys.routes import router
from portico.keys.services import Keyring, ensure_key, load_lasting_secret
from portico.keys.services.kept_keys import KEPT_KEY
from portico.keys.services.keyring import FOLLOW, PRIVATE_KEY
from portico.keys.settings import REFRESH_EVERY, KeysSettings
from portico.keys.types import KeyPurpose, SealedColumn
from portico.messaging import Periodic, Schedule
from portico.runtime import Runtime

SEALED = (
    SealedColumn(
        column=SigningKey.sealed_private_key, key=SigningKey.kid, purpose=PRIVATE_KEY, context=str.encode
    ),
    SealedColumn(column=StoredKey.sealed_key, key=StoredKey.id, purpose=KEPT_KEY, context=str.encode),
)


@asynccontextmanager
async def keys_lifespan(runtime: Runtime) -> AsyncIterator[None]:
    """Make what is made once, load the ring, and follow what other processes do to it."""
    runtime.provide(LastingSecret, await load_lasting_secret(runtime))
    await ensure_key(runtime, KeyPurpose.ACCESS_TOKEN)
    keyring = Keyring(runtime)
    await keyring.reload()
    runtime.provide(Keyring, keyring)
    runtime.get(RevocationLog).subscribe(keyring.hear)
    yield


def register_commands(app: Any) -> None:
    """Add `portico keys`; typer is imported only where there is a command line."""
    from portico.keys.commands import register_commands as register

    register(app)


def keys_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="keys",
        settings=KeysSettings,
        root_routes=[router],
        periodics=[Periodic(FOLLOW, every=REFRESH_EVERY, run=follow_keys)],
        schedules=[Schedule(rotate_old_keys, every=timedelta(hours=1))],
        contributes={SealedColumn: SEALED},
        lifespan=keys_lifespan,
        commands=register_commands,
    )
