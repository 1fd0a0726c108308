"""The relay: turns committed events into the jobs of whoever hears them, in one transaction a batch.

A process that dies in the middle has written nothing; another one does the batch. An event that cannot be fanned out
does not hold up the others: it waits, longer each time, with its fault noted for the operator.
"""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from portico.core import failpoints
from portico.core.errors import Unavailable
from portico.db.unit import Unit
from portico.messaging.bus import EventBus
from portico.messaging.events import Event
from portico.messaging.execution import told
from portico.messaging.queue import Jobs
from portico.messaging.repositories.outbox import OutboxRepository
from portico.messaging.types import Backoff, OutboxEvent
from portico.runtime import Runtime

log = structlog.get_logger("portico.outbox")

BATCH = 200
UNKNOWN_WAIT = timedelta(minutes=1)
POISON_BACKOFF = Backoff(first=timedelta(seconds=5), longest=timedelta(hours=1))


async def relay_events(runtime: Runtime) -> int:
    """Fan out all events that wait; return how many it were."""
    total = 0
    while await _is_waiting(runtime):
        relayed = await _relay_batch(runtime)
        total += relayed
        if relayed < BATCH:
            break
    return total


async def _is_waiting(runtime: Runtime) -> bool:
    async with runtime.reads() as session:
        return await OutboxRepository(session).exists_waiting(runtime.clock.now())


async def _relay_batch(runtime: Runtime) -> int:
    events: Sequence[OutboxEvent] = ()
    try:
        async with runtime.unit() as unit:
            events = await OutboxRepository(unit.session).lock_waiting(runtime.clock.now(), BATCH)
            if failpoints.armed:
                await failpoints.reach("relay.after_claim")
            await _fan_out(runtime, unit, events)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - one of them is at fault: they go one by one, and it is found
        log.warning("outbox_batch_failed", events=len(events), error=told(error))
        for event in events:
            await _relay_alone(runtime, event)
    return len(events)


async def _relay_alone(runtime: Runtime, event: OutboxEvent) -> None:
    try:
        async with runtime.unit() as unit:
            still_waiting = await OutboxRepository(unit.session).lock_event(event.id)
            await _fan_out(runtime, unit, still_waiting)
    except Unavailable:
        raise
    except Exception as error:
        async with runtime.unit() as unit:
            outbox = OutboxRepository(unit.session)
            wait = POISON_BACKOFF.after(await outbox.find_attempts(event.id) + 1, runtime.entropy)
            await outbox.note_fault(event.id, told(error), runtime.clock.now() + wait)
        log.exception("event_not_relayed", event_id=str(event.id), name=event.name)


async def _fan_out(runtime: Runtime, unit: Unit, events: Sequence[OutboxEvent]) -> None:
    outbox, now = OutboxRepository(unit.session), runtime.clock.now()
    known = [event for event in events if (event.name, event.version) in Event.registry]
    for event in events:
        if event not in known:
            await outbox.note_fault(
                event.id, f"nobody here knows {event.name} v{event.version}", now + UNKNOWN_WAIT
            )
            log.warning("event_unknown", event_id=str(event.id), name=event.name, version=event.version)
    if not known:
        return
    bus, jobs = runtime.get(EventBus), runtime.get(Jobs)
    for event in known:
        for job in bus.later(event.name):
            jobs.enqueue_event(unit, job, event)
    for tap in bus.taps:
        await tap(known, unit, runtime)
    if failpoints.armed:
        await failpoints.reach("relay.before_mark")
    await outbox.mark_dispatched([event.id for event in known], now)
