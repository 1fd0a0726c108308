"""Forgets clients that made themselves known and were never used: what open registration would pile up (row 7.5)."""

from datetime import datetime

from portico.oauth.repositories import RegistrationRepository
from portico.oauth.services.client_ending import note_deletion
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import ClientSource
from portico.runtime import Runtime

BATCH = 100


async def remove_unused_clients(runtime: Runtime) -> int:
    """Delete them once they are older than the setting says; return how many."""
    before = runtime.clock.now() - runtime.section(OAuthSettings).unused_client_ttl
    removed = 0
    for source in (ClientSource.DYNAMIC, ClientSource.DOCUMENT):
        while (batch := await _remove_some(runtime, source, before)) > 0:
            removed += batch
    return removed


async def _remove_some(runtime: Runtime, source: ClientSource, before: datetime) -> int:
    async with (unit := runtime.unit()):
        registrations = RegistrationRepository(unit.session)
        unused = dict(await registrations.list_unused(source, before, BATCH))
        removed = await registrations.remove_unused(list(unused)) if unused else []
        for key in removed:
            await note_deletion(runtime, unit, key, unused[key], reason="unused")
    return len(removed)
