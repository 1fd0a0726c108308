"""Forgets clients that made themselves known and were never used: what open registration would pile up (row 7.5)."""

from datetime import datetime

from portico.db.unit import Unit
from portico.oauth.errors import OAuthRefusal
from portico.oauth.protocol.refusals import ErrorCode
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


async def make_room(runtime: Runtime, unit: Unit, source: ClientSource) -> None:
    """See to it that one more client of this kind fits, in the open transaction.

    Where there are as many as the setting allows, the oldest that were never used go at once, if nobody can be on the
    way with one: a flood of new clients then drives out itself, and keeps no honest one out for long.

    Raises:
        OAuthRefusal: there are as many, and all are used or new (503).
    """
    settings, registrations = runtime.section(OAuthSettings), RegistrationRepository(unit.session)
    await registrations.lock()
    if await registrations.count_of(source) < settings.max_dynamic_clients:
        return
    before = runtime.clock.now() - settings.interaction_lifetime
    if not await _remove(runtime, unit, source, before):
        wait = {"Retry-After": str(int(settings.interaction_lifetime.total_seconds()))}
        raise OAuthRefusal(
            ErrorCode.TEMPORARILY_UNAVAILABLE, "no more clients are let in now", status=503, headers=wait
        )


async def _remove_some(runtime: Runtime, source: ClientSource, before: datetime) -> int:
    async with (unit := runtime.unit()):
        return await _remove(runtime, unit, source, before)


async def _remove(runtime: Runtime, unit: Unit, source: ClientSource, before: datetime) -> int:
    registrations = RegistrationRepository(unit.session)
    unused = dict(await registrations.list_unused(source, before, BATCH))
    removed = await registrations.remove_unused(list(unused)) if unused else []
    for key in removed:
        await note_deletion(runtime, unit, key, unused[key], reason="unused")
    return len(removed)
