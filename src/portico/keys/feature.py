"""What signing keys contribute to the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from portico.coordination.revocations import RevocationLog
from portico.feature import Feature
from portico.keys.jobs import follow_keys, rotate_old_keys
from portico.keys.routes import router
from portico.keys.services import Keyring, ensure_key
from portico.keys.services.keyring import FOLLOW
from portico.keys.settings import REFRESH_EVERY, KeysSettings
from portico.keys.types import KeyPurpose
from portico.messaging import Periodic, Schedule
from portico.runtime import Runtime


@asynccontextmanager
async def keys_lifespan(runtime: Runtime) -> AsyncIterator[None]:
    """Make the first key if there is none, load the ring, and follow what other processes do to it."""
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
        lifespan=keys_lifespan,
        commands=register_commands,
    )
