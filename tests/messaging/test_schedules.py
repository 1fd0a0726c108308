"""Schedules tick once, on every day of the year and whatever the clock does."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portico.feature import Feature
from portico.messaging import JobRun, Jobs, Schedule, job
from portico.messaging.draining import run_due_jobs
from portico.messaging.schedules import Scheduler
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio

ran: list[datetime] = []
MINUTE = timedelta(minutes=1)


@job("test.tick")
async def tick(run: JobRun) -> None:
    ran.append(run.runtime.clock.now())


@job("test.nightly")
async def nightly(run: JobRun) -> None:
    ran.append(run.runtime.clock.now())


SCHEDULES = [Schedule(tick, every=MINUTE), Schedule(nightly, cron="30 3 * * *")]


@pytest.fixture
def features() -> Sequence[Feature]:
    ran.clear()
    return [Feature(name="clockwork", schedules=SCHEDULES)]


def scheduler(runtime: Runtime, *schedules: Schedule) -> Scheduler:
    return Scheduler(runtime, schedules or SCHEDULES[:1])


async def test_schedule_runs_its_job_at_each_tick(runtime: Runtime, clock: FrozenClock) -> None:
    ticking = scheduler(runtime)
    await ticking.tick()
    begun = clock.now()
    for _ in range(12):
        clock.advance(timedelta(seconds=15))
        await ticking.tick()
        await run_due_jobs(runtime)

    assert ran == [begun + MINUTE, begun + 2 * MINUTE, begun + 3 * MINUTE]


async def test_cron_means_utc_and_begins_with_its_next_time(runtime: Runtime, clock: FrozenClock) -> None:
    ticking = scheduler(runtime, SCHEDULES[1])
    await ticking.tick()
    for _ in range(48):
        clock.advance(timedelta(minutes=30))
        await ticking.tick()
        await run_due_jobs(runtime)

    [only] = ran
    assert (only.hour, only.minute, only.tzinfo) == (3, 30, UTC)


@pytest.mark.bar("P12")
@pytest.mark.parametrize(
    "ticks", [25, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
async def test_tick_is_made_once_by_several_processes(
    runtime: Runtime, clock: FrozenClock, ticks: int
) -> None:
    """One of the four sleeps through every tenth tick, in the middle of making it, and wakes up much later."""
    nodes = [scheduler(runtime) for _ in range(4)]
    for node in nodes:
        await node.tick()
    made = 0
    for number in range(ticks):
        clock.advance(MINUTE)
        asleep = asyncio.create_task(_overslept(runtime, clock)) if number % 10 == 0 else None
        made += sum(await asyncio.gather(*(node.tick() for node in nodes)))
        if asleep is not None:
            made += await asleep
        await run_due_jobs(runtime)

    assert (made, len(ran)) == (ticks, ticks)


async def _overslept(runtime: Runtime, clock: FrozenClock) -> int:
    """Read that a tick is due, sleep until the others have made it, go on."""
    sleeper = scheduler(runtime)
    original = sleeper._make

    async def make_late(*arguments: Any) -> bool:
        await asyncio.sleep(0.02)
        return await original(*arguments)

    sleeper._make = make_late  # type: ignore[method-assign,assignment]
    return await sleeper.tick()


@pytest.mark.bar("P12", "P22")
async def test_missed_ticks_are_made_up_for_by_one(runtime: Runtime, clock: FrozenClock) -> None:
    ticking = scheduler(runtime)
    await ticking.tick()

    clock.advance(timedelta(days=365))
    for _ in range(3):
        await ticking.tick()
        await run_due_jobs(runtime)

    assert len(ran) == 1


@pytest.mark.bar("P22")
@pytest.mark.parametrize("jump", [timedelta(days=-365), timedelta(minutes=-30)])
async def test_clock_that_is_set_back_stops_no_schedule(
    runtime: Runtime, clock: FrozenClock, jump: timedelta
) -> None:
    ticking = scheduler(runtime)
    await ticking.tick()

    clock.jump(jump)
    made = 0
    for _ in range(20):
        clock.advance(MINUTE)
        made += await ticking.tick()
        await run_due_jobs(runtime)

    assert 8 <= made <= 20


@pytest.mark.bar("P21")
async def test_node_whose_clock_is_ahead_makes_no_tick_twice(runtime: Runtime, clock: FrozenClock) -> None:
    on_time, ahead = scheduler(runtime), scheduler(runtime)
    await on_time.tick()
    made = 0
    for _ in range(10):
        clock.advance(MINUTE)
        clock.jump(timedelta(seconds=90))
        made += await ahead.tick()
        clock.jump(timedelta(seconds=-90))
        made += await on_time.tick()
        await run_due_jobs(runtime)

    assert 9 <= made <= 12


async def test_backlog_of_a_schedule_is_one_job(runtime: Runtime, clock: FrozenClock) -> None:
    """The workers were away for an hour, the schedule was not."""
    ticking = scheduler(runtime)
    for _ in range(60):
        await ticking.tick()
        clock.advance(MINUTE)

    assert len(await runtime.get(Jobs).list_newest(name="test.tick")) == 1


async def test_nothing_is_read_while_nothing_is_due(runtime: Runtime, clock: FrozenClock) -> None:
    ticking = scheduler(runtime)
    await ticking.tick()
    await runtime.database.close()

    clock.advance(timedelta(seconds=30))

    assert await ticking.tick() == 0


@pytest.mark.parametrize(
    "how",
    [{}, {"every": MINUTE, "cron": "* * * * *"}, {"every": timedelta(milliseconds=10)}],
)
def test_schedule_is_either_an_interval_or_a_cron(how: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="schedule"):
        Schedule(tick, **how)  # type: ignore[arg-type]


def test_cron_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cron|fields|expression"):
        Schedule(tick, cron="every day").next_after(datetime(2026, 1, 1, tzinfo=UTC))
