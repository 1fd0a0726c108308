"""Forgetting events and jobs that are over, in small batches that hold no lock for long."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from portico.db.unit import Unit
from portico.messaging.jobs import job
from portico.messaging.repositories.jobs import JobRepository
from portico.messaging.repositories.outbox import OutboxRepository
from portico.messaging.runs import JobRun
from portico.messaging.types import JobStatus
from portico.runtime import Runtime

BATCH = 500


async def in_batches(
    runtime: Runtime, remove: Callable[[Unit, int], Awaitable[int]], batch: int = BATCH
) -> int:
    """Call `remove(unit, batch)` in one transaction after the other until it removes less; return the sum."""
    total = 0
    while True:
        async with runtime.unit() as unit:
            removed = await remove(unit, batch)
        total += removed
        if removed < batch:
            return total


@job("messaging.sweep_outbox")
async def sweep_outbox(run: JobRun) -> None:
    """Forget events that reached everybody `events.keep` ago."""
    before = run.runtime.clock.now() - run.runtime.settings.events.keep
    await in_batches(
        run.runtime, lambda unit, limit: OutboxRepository(unit.session).remove_settled(before, limit)
    )


@job("messaging.sweep_jobs")
async def sweep_jobs(run: JobRun) -> None:
    """Forget jobs that were done `jobs.keep_done` ago or given up `jobs.keep_dead` ago."""
    now, settings = run.runtime.clock.now(), run.runtime.settings.jobs
    await _sweep(run.runtime, (JobStatus.DONE, JobStatus.CANCELLED), now - settings.keep_done)
    await _sweep(run.runtime, (JobStatus.DEAD,), now - settings.keep_dead)


async def _sweep(runtime: Runtime, status: Sequence[JobStatus], before: datetime) -> None:
    await in_batches(
        runtime, lambda unit, limit: JobRepository(unit.session).remove_ended(status, before, limit)
    )
