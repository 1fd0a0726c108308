"""Tells a broker which jobs are due, so that Celery's workers run them.

Runs beside the relay. A batch is marked as announced in one transaction, then sent; when that fails the marks are taken
back. At most `WINDOW` messages wait in a queue of the broker: the rest waits in the table, where the urgent overtake,
and a broker that is full or away is no reason to refuse anything. A job that was announced and still waits is announced
again when the broker holds fewer messages than there are such jobs: it was flushed, or lost some.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog

from portico.core import failpoints
from portico.messaging.jobs import JobRegistry
from portico.messaging.pauses import BrokerAway, Pauses
from portico.messaging.repositories.announcements import AnnouncementRepository, ToAnnounce
from portico.runtime import Runtime

if TYPE_CHECKING:
    from portico.messaging.celery.broker import JobBroker

log = structlog.get_logger("portico.jobs")

WINDOW: Final = 1_000
AGAIN_AFTER: Final = timedelta(seconds=15)
LOOK_SECONDS: Final = 1.0
"""How long the last look at the broker's queues is believed, less what was sent since."""


@dataclass(frozen=True, slots=True)
class _Share:
    """How many jobs of a queue go now: of those whose announcement is lost, and of the new ones."""

    queue: str
    lost: int
    new: int


class Announcer:
    """The announcer of one process; `runtime.get(Announcer)`."""

    def __init__(self, runtime: Runtime, *, again_after: timedelta = AGAIN_AFTER) -> None:
        self._runtime = runtime
        self._registry = runtime.get(JobRegistry)
        self._again_after = again_after
        self._pauses = Pauses(runtime.clock)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="announcer")
        self._broker: JobBroker | None = None
        self._depths: dict[str, int] = {}
        self._looked_at = 0.0

    async def announce(self) -> int:
        """Announce what is due, as far as there is room at the broker; return how many jobs."""
        if not self._pauses.is_over:
            return 0
        now = self._runtime.clock.now()
        wanted = await self._survey(now)
        if not wanted:
            return 0
        try:
            await self._look([each.queue for each in wanted])
            shares = self._plan(wanted)
            announced = await self._mark(shares, now) if shares else {}
            await self._send(announced, now)
        except BrokerAway as away:
            seconds = self._pauses.begin()
            log.warning("jobs_not_announced", error=str(away), seconds=seconds)
            return 0
        self._pauses.end()
        return sum(map(len, announced.values()))

    async def close(self) -> None:
        """Drop the connection."""
        if self._broker is not None:
            self._thread.submit(self._broker.close)
        self._thread.shutdown(wait=False)

    async def _survey(self, now: datetime) -> list[ToAnnounce]:
        async with self._runtime.reads() as session:
            return await AnnouncementRepository(session).survey(
                self._registry.queues, self._registry.names, now, now - self._again_after, WINDOW
            )

    async def _look(self, queues: Sequence[str]) -> None:
        """Learn how many messages wait at the broker, unless that was asked a moment ago."""
        now = self._runtime.clock.monotonic()
        if now - self._looked_at < LOOK_SECONDS and all(queue in self._depths for queue in queues):
            return
        self._depths = await self._in_thread(lambda broker: broker.depths(queues))
        self._looked_at = now

    def _plan(self, wanted: Sequence[ToAnnounce]) -> list[_Share]:
        shares = []
        for each in wanted:
            depth = self._depths[each.queue]
            lost = max(0, min(each.overdue - depth, WINDOW))
            new = max(0, WINDOW - depth - lost) if each.has_new else 0
            shares.append(_Share(each.queue, lost, new))
        return [share for share in shares if share.lost or share.new]

    async def _mark(self, shares: Sequence[_Share], now: datetime) -> dict[str, list[UUID]]:
        names, before = self._registry.names, now - self._again_after
        marked: dict[str, list[UUID]] = {}
        async with self._runtime.unit() as unit:
            jobs = AnnouncementRepository(unit.session)
            for share in shares:
                lost = await jobs.mark_overdue(share.queue, names, now, before, share.lost)
                marked[share.queue] = lost + await jobs.mark_new(share.queue, names, now, share.new)
        if failpoints.armed:
            await failpoints.reach("jobs.announce.after_mark")
        return {queue: ids for queue, ids in marked.items() if ids}

    async def _send(self, announced: Mapping[str, Sequence[UUID]], marked_at: datetime) -> None:
        if not announced:
            return
        try:
            await self._in_thread(lambda broker: broker.send(announced))
        except BrokerAway:
            ids = [job_id for job_ids in announced.values() for job_id in job_ids]
            async with self._runtime.unit() as unit:
                await AnnouncementRepository(unit.session).unmark(ids, marked_at)
            raise
        for queue, job_ids in announced.items():
            self._depths[queue] += len(job_ids)

    async def _in_thread[T](self, call: "Callable[[JobBroker], T]") -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._called, call)

    def _called[T](self, call: "Callable[[JobBroker], T]") -> T:
        if self._broker is None:
            from portico.messaging.celery.broker import JobBroker  # kombu: only where there is a broker

            url = self._runtime.settings.jobs.broker_url
            assert url is not None  # noqa: S101 - there is no announcer without one
            self._broker = JobBroker(url.get_secret_value())
        return call(self._broker)


@asynccontextmanager
async def announcing(runtime: Runtime) -> AsyncIterator[None]:
    """Provide the `Announcer` of a process whose settings name a broker; nothing without one."""
    if runtime.settings.jobs.broker_url is None:
        yield
        return
    announcer = Announcer(runtime)
    runtime.provide(Announcer, announcer)
    try:
        yield
    finally:
        await announcer.close()


async def announce_due_jobs(runtime: Runtime) -> None:
    """Announce what is due; periodic work."""
    await runtime.get(Announcer).announce()
