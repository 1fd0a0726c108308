"""Writing jobs, and looking after them: what features, the API and the command line use."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from portico.core.context import Asker, current_asker, current_request
from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.messaging.bus import EventJob
from portico.messaging.errors import JobNotFound, JobNotRetriable, JobOver
from portico.messaging.jobs import Job, JobRegistry
from portico.messaging.pending import pending_of
from portico.messaging.repositories.jobs import JobRepository
from portico.messaging.repositories.outbox import OutboxRepository
from portico.messaging.runs import asker_of
from portico.messaging.types import JobStatus, JobView, OutboxEvent, OutboxState, QueueState
from portico.messaging.wake import Wake
from portico.runtime import Runtime

NO_REQUEST = "-"


class Jobs:
    """The jobs of this deployment; `runtime.get(Jobs)`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def enqueue[**P](self, unit: Unit, job: Job[P], /, *args: P.args, **kwargs: P.kwargs) -> UUID:
        """Write a job with the commit of `unit`, which must be open; return its id.

        `job.when(run_at=…, priority=…, unique_key=…)` says when and how urgently; if a job with the same unique key
        waits already, nothing is written and the id leads nowhere.

        Raises:
            TypeError, PayloadInvalid: these are not the job's arguments.
        """
        return self._add(unit, job, job.encode(*args, **kwargs), current_asker())

    def enqueue_event(self, unit: Unit, job: EventJob, event: OutboxEvent) -> UUID:
        """Write the job that tells a subscriber of an event."""
        return self._add(unit, job, job.encode_event(event), asker_of(event))

    def _add(self, unit: Unit, job: Job[...], arguments: dict[str, Any], asker: Asker | None) -> UUID:
        now, job_id, request_id = self._runtime.clock.now(), new_id(), current_request().request_id
        row: dict[str, Any] = {
            "id": job_id,
            "name": job.name,
            "queue": job.queue,
            "arguments": arguments,
            "unique_key": job.unique_key,
            "priority": job.priority,
            "run_at": job.run_at or now,
            "request_id": None if request_id == NO_REQUEST else request_id,
            "principal_id": asker.principal_id if asker else None,
            "actor_id": asker.actor_id if asker else None,
            "created_at": now,
        }
        pending_of(self._runtime, unit).add_job(row, is_due=job.run_at is None or job.run_at <= now)
        return job_id

    async def list_newest(
        self,
        *,
        status: JobStatus | None = None,
        name: str | None = None,
        queue: str | None = None,
        before: UUID | None = None,
        limit: int = 50,
    ) -> list[JobView]:
        """Return jobs, newest first; `before` is the last one of the page before."""
        async with self._runtime.reads() as session:
            return await JobRepository(session).list_newest(
                status=status, name=name, queue=queue, before=before, limit=limit
            )

    async def get(self, job_id: UUID) -> JobView:
        """Return a job.

        Raises:
            JobNotFound: there is none (404).
        """
        async with self._runtime.reads() as session:
            found = await JobRepository(session).find(job_id)
        if found is None:
            raise JobNotFound
        return found

    async def get_in(self, unit: Unit, job_id: UUID) -> JobView:
        """Return a job as the open transaction sees it.

        Raises:
            JobNotFound: there is none (404).
        """
        found = await JobRepository(unit.session).find(job_id)
        if found is None:
            raise JobNotFound
        return found

    async def retry(self, unit: Unit, job_id: UUID) -> None:
        """Let a job that was given up or cancelled run again, now and with all its attempts.

        Raises:
            JobNotFound: there is none (404).
            JobNotRetriable: it waits, runs or is done (409).
        """
        async with unit:
            view = await self.get_in(unit, job_id)
            if not await JobRepository(unit.session).revive(job_id, self._runtime.clock.now()):
                raise JobNotRetriable
            unit.after_commit(lambda: self._runtime.get(Wake).runner([view.queue]))

    async def cancel(self, unit: Unit, job_id: UUID) -> None:
        """Cancel a job that waits; a run under way is ended within a third of `jobs.lease`.

        Raises:
            JobNotFound: there is none (404).
            JobOver: it has ended (409).
        """
        async with unit:
            await self.get_in(unit, job_id)
            if not await JobRepository(unit.session).cancel(job_id, self._runtime.clock.now()):
                raise JobOver

    async def states(self) -> Sequence[QueueState]:
        """Return how each queue is doing."""
        async with self._runtime.reads() as session:
            return await JobRepository(session).states(self._runtime.clock.now())

    async def outbox_state(self) -> OutboxState:
        """Return how many events wait."""
        async with self._runtime.reads() as session:
            return await OutboxRepository(session).state()

    async def unknown_names(self) -> dict[str, int]:
        """Return how many jobs wait that no process of this release can do, by name."""
        async with self._runtime.reads() as session:
            return await JobRepository(session).unknown_names(self._runtime.get(JobRegistry).names)


def seconds_since(moment: datetime | None, now: datetime) -> int:
    """Return the age of `moment` in whole seconds; 0 for none."""
    return 0 if moment is None else max(0, int((now - moment).total_seconds()))
