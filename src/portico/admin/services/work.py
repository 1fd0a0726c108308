"""What administrators see and do of jobs, queues and the outbox."""

from typing import Any
from uuid import UUID

from portico.admin.repositories import JobListRepository
from portico.admin.schemas import JobListQuery
from portico.admin.types import Queue, Queues
from portico.audit.services import record
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.http.pagination import Cursors, Page
from portico.messaging import Jobs, JobStatus
from portico.messaging.queue import seconds_since
from portico.messaging.types import JobView
from portico.runtime import Runtime


class Work:
    """The work of this deployment that is done after the answer."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._jobs = runtime.get(Jobs)

    async def queues(self) -> Queues:
        """Return how each queue and the outbox are doing."""
        now = self._runtime.clock.now()
        outbox = await self._jobs.outbox_state()
        queues = [
            Queue(
                name=state.queue,
                queued=state.counts.get(JobStatus.QUEUED, 0),
                running=state.counts.get(JobStatus.RUNNING, 0),
                dead=state.counts.get(JobStatus.DEAD, 0),
                oldest_due_seconds=seconds_since(state.oldest_due, now),
            )
            for state in await self._jobs.states()
        ]
        return Queues(
            queues=queues,
            unknown_jobs=await self._jobs.unknown_names(),
            events_waiting=outbox.waiting,
            events_faulty=outbox.faulty,
            events_unpublished=outbox.unpublished,
            oldest_event_seconds=seconds_since(outbox.oldest, now),
        )

    async def list_jobs(self, query: JobListQuery) -> Page[JobView]:
        """Return one page of the jobs.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        async with self._runtime.reads() as reader:
            found = await JobListRepository(reader).list_jobs(query, Cursors.of(self._runtime))
        return Page[Any](data=[JobView(*row) for row in found.rows], pagination=found.pagination)

    async def get_job(self, job_id: UUID) -> JobView:
        """Return one job.

        Raises:
            JobNotFound (404).
        """
        return await self._jobs.get(job_id)

    async def retry_job(self, job_id: UUID, *, actor: Principal) -> JobView:
        """Let a job that was given up or cancelled run again.

        Raises:
            JobNotFound (404), JobNotRetriable (409).
        """
        async with self._unit:
            await self._jobs.retry(self._unit, job_id)
            record(self._runtime, self._unit, "job.retried", actor=actor, subject=("job", job_id))
            return await self._jobs.get_in(self._unit, job_id)

    async def cancel_job(self, job_id: UUID, *, actor: Principal) -> JobView:
        """Cancel a job.

        Raises:
            JobNotFound (404), JobOver (409).
        """
        async with self._unit:
            await self._jobs.cancel(self._unit, job_id)
            record(self._runtime, self._unit, "job.cancelled", actor=actor, subject=("job", job_id))
            return await self._jobs.get_in(self._unit, job_id)
