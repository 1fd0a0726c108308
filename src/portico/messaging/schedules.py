"""Schedules: jobs that are enqueued by the clock, once a tick however many processes there are.

Each process knows when the next tick is due; the one that moves the schedule's row on, in the transaction that enqueues
the job, has made the tick, and the others find it moved. Ticks that were missed are made up for by one. While a job of
the schedule still waits, no other is added.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from portico.messaging.jobs import Job
from portico.messaging.queue import Jobs
from portico.messaging.repositories.schedules import ScheduleRepository
from portico.runtime import Runtime

log = structlog.get_logger("portico.schedules")

TRUSTED_SKEW = timedelta(minutes=10)
"""How much further away than it can be the next tick may be: the difference of clocks. Beyond it a clock jumped."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """That `job`, which takes no arguments, runs every `every`, or at the times of `cron` (five fields, UTC).

    Its name is that of the job, unless the job has several schedules.
    """

    job: Job[[]]
    every: timedelta | None = None
    cron: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if (self.every is None) == (self.cron is None):
            raise ValueError("a schedule has either `every` or `cron`")
        if self.every is not None and self.every < timedelta(seconds=1):
            raise ValueError("a schedule runs at most once a second")
        if not self.name:
            object.__setattr__(self, "name", self.job.name)

    def next_after(self, moment: datetime) -> datetime:
        """Return the first tick after `moment`."""
        if self.every is not None:
            return moment + self.every
        return _cron(self.cron or "")(moment)


def _cron(expression: str) -> Callable[[datetime], datetime]:
    from apscheduler.triggers.cron import CronTrigger  # 50 ms, and only for whoever has such a schedule

    trigger = CronTrigger.from_crontab(expression, timezone="UTC")

    def next_after(moment: datetime) -> datetime:
        found: datetime | None = trigger.get_next_fire_time(moment, moment)
        if found is None:
            raise ValueError(f"{expression!r} never comes")
        return found

    return next_after


class Scheduler:
    """Makes the ticks of all schedules; one a process, called about once a second."""

    def __init__(self, runtime: Runtime, schedules: Iterable[Schedule]) -> None:
        self._runtime = runtime
        self._schedules = {schedule.name: schedule for schedule in schedules}
        self._next: datetime | None = None
        self._turn = asyncio.Lock()

    async def tick(self) -> int:
        """Enqueue the jobs that are due; return how many. Costs nothing while nothing is."""
        now = self._runtime.clock.now()
        if self._next is not None and self._next - TRUSTED_SKEW * 2 < now < self._next:
            return 0
        async with self._turn:
            return await self._tick(now)

    async def _tick(self, now: datetime) -> int:
        made, nearest = 0, now + TRUSTED_SKEW
        async with self._runtime.reads() as session:
            known = await ScheduleRepository(session).next_ticks(list(self._schedules))
        for name, schedule in self._schedules.items():
            due = known.get(name)
            if due is None:
                due = await self._introduce(schedule, now)
            elif due <= now:
                made += await self._make(schedule, due, now)
                due = schedule.next_after(now)
            elif due > schedule.next_after(now) + TRUSTED_SKEW:
                due = await self._bring_back(schedule, due, now)
            nearest = min(nearest, due)
        self._next = nearest
        return made

    async def _introduce(self, schedule: Schedule, now: datetime) -> datetime:
        first = schedule.next_after(now)
        async with self._runtime.unit() as unit:
            await ScheduleRepository(unit.session).introduce(schedule.name, first)
        return first

    async def _make(self, schedule: Schedule, due: datetime, now: datetime) -> bool:
        async with self._runtime.unit() as unit:
            schedules = ScheduleRepository(unit.session)
            is_ours = await schedules.move(schedule.name, due=due, to=schedule.next_after(now), ticked=True)
            if is_ours:
                once = schedule.job.when(unique_key=f"schedule:{schedule.name}")
                self._runtime.get(Jobs).enqueue(unit, once)
        return is_ours

    async def _bring_back(self, schedule: Schedule, due: datetime, now: datetime) -> datetime:
        """Move a tick nearer that a clock which has been set back would reach only after a long time."""
        first = schedule.next_after(now)
        async with self._runtime.unit() as unit:
            await ScheduleRepository(unit.session).move(schedule.name, due=due, to=first, ticked=False)
        log.warning("schedule_brought_back", schedule=schedule.name, was=str(due), now=str(first))
        return first


async def make_due_ticks(runtime: Runtime) -> None:
    """Make the ticks that are due; periodic work."""
    await runtime.get(Scheduler).tick()
