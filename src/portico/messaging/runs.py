"""One run of a job: what its function is handed, and the other ways than returning in which it may end."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from portico.core import failpoints
from portico.core.context import Asker
from portico.core.ids import PrincipalId
from portico.db.unit import Unit
from portico.messaging.errors import LeaseLost
from portico.messaging.repositories.jobs import JobRepository
from portico.messaging.types import ClaimedJob, OutboxEvent

if TYPE_CHECKING:
    from portico.runtime import Runtime


class RetryLater(Exception):
    """Try the job again `after`; an attempt that is not `counted` was none of the job's own."""

    def __init__(self, after: timedelta, reason: str = "", *, counted: bool = True) -> None:
        super().__init__(reason or "to be tried again")
        self.after = after
        self.counted = counted


class PauseQueue(RetryLater):
    """What all jobs of the queue need is away: this one waits uncounted, and its process claims no other `after`."""

    def __init__(self, after: timedelta, reason: str = "") -> None:
        super().__init__(after, reason, counted=False)


class JobRefused(Exception):
    """The job can never succeed: it is given up at once, for a person to look at."""


@dataclass(slots=True, kw_only=True)
class JobRun:
    """The run of a job by this process. `attempt` counts from 1."""

    runtime: "Runtime"
    job: ClaimedJob
    attempts: int
    is_finished: bool = field(default=False, init=False)
    """Whether the run is noted as done, by the commit of its own unit."""
    _has_unit: bool = field(default=False, init=False)

    @property
    def id(self) -> uuid.UUID:
        """Return the job's id: the same at each attempt."""
        return self.job.id

    @property
    def asker(self) -> Asker | None:
        """Return who asked for the job, or did what caused it; None where that was nobody: a schedule, a command."""
        return asker_of(self.job)

    @property
    def attempt(self) -> int:
        """Return which attempt this is, from 1."""
        return self.job.attempts

    @property
    def is_last_attempt(self) -> bool:
        """Tell whether the job is given up when this attempt fails."""
        return self.attempt >= self.attempts

    def unit(self, organization_id: uuid.UUID | None = None) -> Unit:
        """Return the run's transaction, whose commit also marks the job as done: its writes happen once, or not.

        With an organization it may touch that organization's rows of scoped tables.

        Entering it raises nothing; leaving it raises `LeaseLost`, and undoes everything, if another process has
        taken the job over in the meantime.

        Raises:
            RuntimeError: asked for twice: one write transaction a job. Open further ones with `runtime.unit()` if they
                are harmless when repeated.
        """
        if self._has_unit:
            raise RuntimeError("the unit of the run was already asked for: one write transaction a job")
        self._has_unit = True
        unit = self.runtime.unit(organization_id)
        unit.before_commit(lambda: self._finish_in(unit))
        unit.after_commit(self._note_finished)
        return unit

    async def progress(self, done: int, total: int | None = None, note: str = "") -> None:
        """Let operators see how far the run is.

        Raises:
            LeaseLost: the job is no longer this run's.
        """
        seen = {"done": done, "total": total, "note": note[:200]}
        async with self.runtime.unit() as unit:
            if not await JobRepository(unit.session).note_progress(self.job, seen):
                raise LeaseLost(str(self.id))

    async def _finish_in(self, unit: Unit) -> None:
        if failpoints.armed:
            await failpoints.reach("jobs.run.before_finish")
        if not await JobRepository(unit.session).finish(self.job, self.runtime.clock.now()):
            raise LeaseLost(str(self.id))

    async def _note_finished(self) -> None:
        self.is_finished = True
        if failpoints.armed:
            await failpoints.reach("jobs.run.after_finish")


def asker_of(written: ClaimedJob | OutboxEvent) -> Asker | None:
    """Return who asked for a job, or caused an event."""
    if written.principal_id is None:
        return None
    actor_id = PrincipalId(written.actor_id) if written.actor_id is not None else None
    return Asker(PrincipalId(written.principal_id), actor_id, is_later=True)


type Handler = Callable[..., Awaitable[None]]
