"""What is done with keys now and then: uses written down, reminders sent, ends marked, old rows forgotten."""

from typing import Final

from portico.api_keys.events import ApiKeyExpired
from portico.api_keys.repositories import HousekeepingRepository, KeyRepository
from portico.api_keys.repositories.keys import among
from portico.api_keys.services.believed import BelievedKeys
from portico.api_keys.services.notices import remind_of_end, responsible_for
from portico.api_keys.services.scopes import next_reminder
from portico.api_keys.settings import ApiKeysSettings
from portico.api_keys.types import KeyEnd
from portico.audit.services import record
from portico.messaging import EventBus
from portico.messaging.sweeps import in_batches
from portico.runtime import Runtime

BATCH: Final = 200


async def note_use(runtime: Runtime) -> int:
    """Write down what this process saw of keys since the last call; return of how many.

    The requests that used them waited for none of it. The rows are written in the order of their ids, so that two
    processes cannot wait for each other.
    """
    believed = runtime.get(BelievedKeys)
    uses = sorted(believed.take_used(), key=lambda use: use.key_id)
    if not uses:
        return 0
    try:
        async with (unit := runtime.unit()):
            keys = HousekeepingRepository(unit.session)
            for use in uses:
                await keys.note_use(use)
    except BaseException:
        believed.give_back(uses)
        raise
    return len(uses)


async def remind_of_ends(runtime: Runtime) -> int:
    """Send what reminders are due, each once; return how many keys were told of."""
    told = 0
    while (batch := await _remind_some(runtime)) > 0:
        told += batch
    return told


async def _remind_some(runtime: Runtime) -> int:
    now = runtime.clock.now()
    async with runtime.reads() as session:
        due = await HousekeepingRepository(session).list_to_remind(now, BATCH)
    people = {key.id: await responsible_for(runtime, key) for key in due}
    async with (unit := runtime.unit()):
        keys = HousekeepingRepository(unit.session)
        ours = await keys.claim_to_remind(list(people), now)
        for key in ours:
            key.remind_at = next_reminder(runtime, key.expires_at, now)
            await remind_of_end(runtime, unit, key, people[key.id])
        await keys.flush()
    return len(ours)


async def expire_keys(runtime: Runtime) -> int:
    """Mark keys that have reached their end, and rotated ones whose overlap is over; return how many.

    They are refused from that very moment without this; here it is put on the trail and told.
    """
    marked = 0
    while (batch := await _expire_some(runtime)) > 0:
        marked += batch
    return marked


async def _expire_some(runtime: Runtime) -> int:
    async with (unit := runtime.unit()):
        now = runtime.clock.now()
        clock_says, keys = HousekeepingRepository(unit.session), KeyRepository(unit.session)
        overlapped = await clock_says.list_overlapped(now, BATCH)
        replaced = await keys.end(among(overlapped), now, KeyEnd.ROTATED) if overlapped else ()
        expired = await clock_says.list_expired(now, BATCH)
        ended = await keys.end(among(expired), now, KeyEnd.EXPIRED) if expired else ()
        for key_id, organization_id in ended:
            record(
                runtime,
                unit,
                "api_key.expired",
                subject=("api_key", key_id),
                organization_id=organization_id,
            )
            event = ApiKeyExpired(at=now, key_id=key_id, organization_id=organization_id)
            await runtime.get(EventBus).emit(event, unit)
    return len(replaced) + len(ended)


async def sweep_dead_keys(runtime: Runtime) -> None:
    """Forget keys that have been over for longer than the setting says."""
    before = runtime.clock.now() - runtime.section(ApiKeysSettings).keep_dead
    await in_batches(
        runtime, lambda unit, limit: HousekeepingRepository(unit.session).remove_dead(before, limit)
    )
