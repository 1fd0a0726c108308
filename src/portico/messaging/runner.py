"""The embedded runner: claims due jobs and runs them in this process's event loop.

One task looks for work, for all queues: when it is woken, when a slot comes free, and every `jobs.poll`. Each job runs
in a task of its own; a heartbeat prolongs the leases of all of them in one statement, and ends the runs of those that
somebody else has taken over or cancelled.
"""

import asyncio
import contextlib
import os
import socket
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import timedelta
from uuid import UUID

import structlog

from portico.coordination.wakeups import Wakeups
from portico.core.errors import Unavailable
from portico.messaging.errors import LeaseLost
from portico.messaging.execution import Cancelled, GivenBack, execute, told
from portico.messaging.jobs import JobRegistry
from portico.messaging.repositories.jobs import JobRepository, JobTrips
from portico.messaging.runs import PauseQueue
from portico.messaging.types import ClaimedJob
from portico.runtime import Runtime

log = structlog.get_logger("portico.jobs")

JOBS = "jobs"
"""The topic under which other processes are told that jobs are due."""
DEFAULT_SLOTS = {"default": 8, "mail": 4, "webhooks": 16}
SLOTS_OF_OTHERS = 4
BEATS_A_LEASE = 3
COALESCED_SECONDS = 0.002
CANCEL_SECONDS = 5.0
"""How long a run that was cancelled may take to end before the process stops all the same."""


def worker_name() -> str:
    """Return what this process is called in the table of jobs: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


def slots_of(runtime: Runtime, registry: JobRegistry) -> dict[str, int]:
    """Return how many jobs of each queue this process does at the same time."""
    given = runtime.settings.jobs.concurrency
    return {queue: given.get(queue, DEFAULT_SLOTS.get(queue, SLOTS_OF_OTHERS)) for queue in registry.queues}


class JobRunner:
    """Does the jobs of some queues; one a process."""

    def __init__(self, runtime: Runtime, slots: Mapping[str, int] | None = None) -> None:
        self._runtime = runtime
        self._registry = runtime.get(JobRegistry)
        self._slots = dict(slots or slots_of(runtime, self._registry))
        self._settings = runtime.settings.jobs
        self._worker = worker_name()
        self._running: dict[asyncio.Task[None], ClaimedJob] = {}
        self._paused_until: dict[str, float] = {}
        self._woken: set[str] = set()
        """Queues in which a job may be due, as far as somebody told us."""
        self._looks_at = 0.0
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False

    def start(self, *, looks: bool = True) -> None:
        """Begin; call inside the event loop. With `looks=False` only what `run_one` is told of is done."""
        self._tasks = [asyncio.create_task(self._beat(), name="jobs:beat")]
        if looks:
            self._tasks.append(asyncio.create_task(self._look_for_work(), name="jobs:look"))
            if (wakeups := self._runtime.find(Wakeups)) is not None:
                wakeups.listen(JOBS, self._woken_by_others)

    async def run_one(self, job_id: UUID) -> bool:
        """Claim one job and run it to its end; False if it is not due, taken, over, or of another release."""
        if self._is_stopping:
            return False
        claimed = await JobTrips(self._runtime.database.trips).claim(
            job_id,
            self._registry.names,
            worker=self._worker,
            now=self._runtime.clock.now(),
            lease=self._settings.lease,
        )
        if claimed is None:
            return False
        await asyncio.wait([self._start(claimed)])
        return True

    def wake(self, queues: Collection[str] = ()) -> bool:
        """Look for jobs of these queues now, of all if none are named; False if one of them has no free slot."""
        wanted = set(queues or self._slots) & self._slots.keys()
        self._woken |= wanted
        self._wake.set()
        free = self._free()
        return len(wanted) > 0 and all(free.get(queue, 0) > 0 for queue in wanted)

    def _woken_by_others(self) -> None:
        self.wake()

    @property
    def running(self) -> int:
        """Return how many jobs run in this process."""
        return len(self._running)

    async def stop(self, grace: timedelta = timedelta(seconds=10)) -> None:
        """Claim nothing more and let runs under way end; what takes longer is cancelled and given back."""
        self._is_stopping = True
        self._wake.set()
        if len(self._tasks) > 1:  # whoever looks for work ends after his look, and no claim is forgotten
            await asyncio.gather(self._tasks[1], return_exceptions=True)
        await self._end_runs(grace.total_seconds())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _end_runs(self, grace: float) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        for task in self._running:
            task.cancel(GivenBack())
        if self._running:
            await asyncio.wait(self._running, timeout=CANCEL_SECONDS)

    async def _look_for_work(self) -> None:
        while not self._is_stopping:
            self._wake.clear()
            try:
                await self._start_due()
            except Exception as error:  # noqa: BLE001 - the edge of a task: recorded, and looked again
                log.warning("jobs_not_claimed", error=told(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._settings.poll.total_seconds())

    async def _start_due(self) -> None:
        free = self._free()
        woken = self._woken & free.keys()
        self._woken -= woken  # the others wait for a slot, or for the end of their pause
        for queue in [*woken, *await self._found_due(free.keys() - woken)]:
            claimed = await self._claim(queue, free[queue])
            for job in claimed:
                self._start(job)
            if len(claimed) == free[queue]:  # more may be due: look again when a slot comes free
                self._woken.add(queue)

    def _free(self) -> dict[str, int]:
        """Return the free slots of the queues that have some and are not paused."""
        taken = Counter(job.queue for job in self._running.values())
        now = self._runtime.clock.monotonic()
        return {
            queue: slots - taken[queue]
            for queue, slots in self._slots.items()
            if slots > taken[queue] and self._paused_until.get(queue, 0.0) <= now
        }

    async def _found_due(self, quiet: Collection[str]) -> list[str]:
        """Return those queues that nobody woke us for in which a job is due; once every `jobs.poll` a read tells."""
        now = asyncio.get_running_loop().time()
        if now < self._looks_at:
            return []
        self._looks_at = now + self._settings.poll.total_seconds()
        async with self._runtime.reads() as session:
            return await JobRepository(session).queues_with_due(
                list(quiet), self._registry.names, self._runtime.clock.now()
            )

    async def _claim(self, queue: str, limit: int) -> list[ClaimedJob]:
        async with self._runtime.unit() as unit:
            return await JobRepository(unit.session).claim_due(
                queue,
                self._registry.names,
                worker=self._worker,
                now=self._runtime.clock.now(),
                lease=self._settings.lease,
                limit=limit,
            )

    def _start(self, job: ClaimedJob) -> "asyncio.Task[None]":
        task = asyncio.create_task(self._run(job), name=f"job:{job.name}")
        self._running[task] = job
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        queue = self._running.pop(task).queue
        if queue in self._woken:  # soon, so that jobs which end side by side make room for as many at once
            asyncio.get_running_loop().call_later(COALESCED_SECONDS, self._wake.set)

    async def _run(self, job: ClaimedJob) -> None:
        try:
            await execute(self._runtime, job)
        except PauseQueue as pause:
            self._pause(job.queue, pause.after)
        except Unavailable as error:
            log.warning("job_end_not_noted", job=str(job.id), name=job.name, error=told(error))
        except Exception:
            log.exception("job_not_ended", job=str(job.id), name=job.name)

    def _pause(self, queue: str, wait: timedelta) -> None:
        self._paused_until[queue] = self._runtime.clock.monotonic() + wait.total_seconds()
        log.warning("queue_paused", queue=queue, seconds=wait.total_seconds())

    async def _beat(self) -> None:
        pause = self._settings.lease.total_seconds() / BEATS_A_LEASE
        heard_at = self._runtime.clock.monotonic()
        while True:
            await asyncio.sleep(pause)
            if not self._running:
                heard_at = self._runtime.clock.monotonic()
                continue
            try:
                await self._renew()
                heard_at = self._runtime.clock.monotonic()
            except Exception as error:  # noqa: BLE001 - recorded; the lease may run out meanwhile
                log.warning("job_leases_not_renewed", error=told(error))
                if self._runtime.clock.monotonic() - heard_at > self._settings.lease.total_seconds():
                    self._end_all(LeaseLost("the database was away for longer than a lease"))

    async def _renew(self) -> None:
        running = dict(self._running)
        async with self._runtime.unit() as unit:
            ours = await JobRepository(unit.session).renew(
                running.values(), self._runtime.clock.now(), self._settings.lease
            )
        for task, job in running.items():
            is_cancelled = ours.get((job.id, job.claim))
            if is_cancelled is None:
                task.cancel(LeaseLost(str(job.id)))
            elif is_cancelled:
                task.cancel(Cancelled())

    def _end_all(self, reason: Exception) -> None:
        for task in self._running:
            task.cancel(reason)
