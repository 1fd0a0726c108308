"""Queued work of webhooks, and what each process repeats."""

from datetime import timedelta
from uuid import UUID

from portico.messaging import JobRun, Periodic, Schedule, job
from portico.messaging.sweeps import in_batches
from portico.runtime import Runtime
from portico.webhooks.queueing import enqueue_delivering
from portico.webhooks.repositories import DeliveryRepository, EndpointRepository
from portico.webhooks.services.delivering import Delivering
from portico.webhooks.settings import WebhooksSettings

QUEUE = "webhooks"
PATIENCE = timedelta(minutes=1)
MOST_ENDPOINTS = 500


@job("webhooks.deliver", queue=QUEUE, attempts=20, time_limit=timedelta(minutes=3))
async def deliver(run: JobRun, *, endpoint_id: UUID) -> None:
    """Send what is due for one endpoint."""
    await Delivering(run, endpoint_id).deliver_due()


async def look_after(runtime: Runtime) -> None:
    """Enqueue the delivering for endpoints that have had something due for a minute and no job that sees to it.

    There are none, unless a process was lost at a bad moment or somebody cancelled the job; then nothing is written.
    """
    now = runtime.clock.now()
    async with runtime.reads() as session:
        forgotten = await EndpointRepository(session).list_forgotten(now, PATIENCE, MOST_ENDPOINTS)
    if not forgotten:
        return
    async with runtime.unit() as unit:
        for endpoint_id in forgotten:
            enqueue_delivering(runtime, unit, endpoint_id)


@job("webhooks.sweep")
async def sweep(run: JobRun) -> None:
    """Forget deliveries that are over, and those that wait in vain for an endpoint which is switched off."""
    before = run.runtime.clock.now() - run.runtime.section(WebhooksSettings).keep
    await in_batches(
        run.runtime, lambda unit, limit: DeliveryRepository(unit.session).remove_finished(before, limit)
    )
    await in_batches(
        run.runtime, lambda unit, limit: DeliveryRepository(unit.session).remove_stranded(before, limit)
    )


SCHEDULES = (Schedule(sweep, every=timedelta(hours=1)),)
PERIODICS = (Periodic("webhooks.look_after", timedelta(minutes=1), look_after),)
