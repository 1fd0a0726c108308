"""Doing by hand what the relay and the runner do by themselves: one job by its id, or all that is due."""

from uuid import UUID

from portico.messaging.execution import execute
from portico.messaging.jobs import JobRegistry
from portico.messaging.relay import relay_events
from portico.messaging.repositories.jobs import JobRepository, JobTrips
from portico.messaging.runner import worker_name
from portico.messaging.runs import PauseQueue
from portico.messaging.types import JobStatus
from portico.runtime import Runtime


async def run_job(runtime: Runtime, job_id: UUID) -> JobStatus | None:
    """Claim one job and run it to its end; None if it is not due, taken, over, or of another release.

    Nothing renews its lease: the job is short, or `JobRunner.run_one` is what is wanted.
    """
    claimed = await JobTrips(runtime.database.trips).claim(
        job_id,
        runtime.get(JobRegistry).names,
        worker=worker_name(),
        now=runtime.clock.now(),
        lease=runtime.settings.jobs.lease,
    )
    if claimed is None:
        return None
    try:
        return await execute(runtime, claimed)
    except PauseQueue:
        return JobStatus.QUEUED


async def run_due_jobs(runtime: Runtime) -> int:
    """Relay and run everything that is due, one after the other, until nothing is; return how many jobs were run."""
    total = 0
    while (await relay_events(runtime)) + (ran := await _run_due(runtime)) > 0:
        total += ran
    return total


async def _run_due(runtime: Runtime) -> int:
    registry, now = runtime.get(JobRegistry), runtime.clock.now()
    async with runtime.reads() as session:
        queues = await JobRepository(session).queues_with_due(registry.queues, registry.names, now)
    ran = 0
    for queue in queues:
        async with runtime.unit() as unit:
            claimed = await JobRepository(unit.session).claim_due(
                queue,
                registry.names,
                worker=worker_name(),
                now=now,
                lease=runtime.settings.jobs.lease,
                limit=20,
            )
        for job in claimed:
            try:
                await execute(runtime, job)
            except PauseQueue:
                continue
        ran += len(claimed)
    return ran
