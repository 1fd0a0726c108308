"""What a unit of work adds to its commit: its events and its jobs, each kind written in one statement.

Written as the last thing in the transaction: never for something that was rolled back, always for what was committed.
After the commit whoever has to work on it is woken.
"""

from typing import Any

from portico.core import failpoints
from portico.db.unit import Unit
from portico.messaging.repositories.jobs import JobRepository
from portico.messaging.repositories.outbox import OutboxRepository
from portico.messaging.wake import Wake
from portico.runtime import Runtime


class Pending:
    """The events and jobs of one unit of work."""

    __slots__ = (
        "_events",
        "_is_hooked",
        "_is_urgent",
        "_jobs",
        "_queues",
        "_runtime",
        "_unit",
        "_wakes_relay",
    )

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._events: list[dict[str, Any]] = []
        self._jobs: list[dict[str, Any]] = []
        self._queues: set[str] = set()
        self._wakes_relay = False
        self._is_urgent = False
        self._is_hooked = False

    def add_event(self, row: dict[str, Any], *, is_urgent: bool) -> None:
        """Write an event with the commit; an urgent one wakes the relay, others let it come round soon."""
        self._hook()
        self._wakes_relay = True
        self._is_urgent = self._is_urgent or is_urgent
        self._events.append(row)

    def add_job(self, row: dict[str, Any], *, is_due: bool) -> None:
        """Write a job with the commit; one that is due wakes the runner of its queue."""
        self._hook()
        self._jobs.append(row)
        if is_due:
            self._queues.add(row["queue"])

    def _hook(self) -> None:
        """Ask to be called before the commit: again, if what is added comes from another hook that runs then."""
        if self._events or self._jobs:
            return
        if not self._is_hooked:
            self._is_hooked = True
            self._unit.after_commit(self._wake)
            self._unit.around_savepoints(self._write, self._drop)
        self._unit.before_commit(self._write)

    async def _write(self) -> None:
        events, self._events = self._events, []
        jobs, self._jobs = self._jobs, []
        if events:
            if failpoints.armed:
                await failpoints.reach("outbox.before_write")
            await OutboxRepository(self._unit.session).write(events)
        if jobs:
            if failpoints.armed:
                await failpoints.reach("jobs.before_write")
            await JobRepository(self._unit.session).write(jobs)

    def _drop(self) -> None:
        self._events, self._jobs = [], []

    async def _wake(self) -> None:
        wake = self._runtime.get(Wake)
        if self._wakes_relay:
            await wake.relay(is_urgent=self._is_urgent)
        if self._queues:
            await wake.runner(self._queues)


def pending_of(runtime: Runtime, unit: Unit) -> Pending:
    """Return what `unit` adds to its commit.

    Raises:
        RuntimeError: the unit is not open.
    """
    if not unit.is_open:
        raise RuntimeError("events and jobs are written inside `async with unit:`")
    pending = unit.attached.get(Pending)
    if not isinstance(pending, Pending):
        pending = unit.attached[Pending] = Pending(runtime, unit)
    return pending
