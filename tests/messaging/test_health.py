"""What is wrong with jobs and events is said in one line."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import update

from portico.feature import Feature
from portico.messaging import EventBus, JobRefused, JobRun, Jobs, job
from portico.messaging.draining import run_due_jobs
from portico.messaging.health import Overdue, describe_jobs, describe_outbox
from portico.messaging.models import JobRecord, OutboxRecord
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.messaging.test_outbox import OrderPlaced

pytestmark = pytest.mark.anyio


@job("test.refuses")
async def refuse(run: JobRun) -> None:
    raise JobRefused("no")


@pytest.fixture
def features() -> Sequence[Feature]:
    return [Feature(name="work", jobs=[refuse])]


async def test_jobs_are_counted_and_those_given_up_are_no_alarm(runtime: Runtime) -> None:
    async with runtime.unit() as unit:
        runtime.get(Jobs).enqueue(unit, refuse)
    await run_due_jobs(runtime)

    assert await describe_jobs(runtime) == "0 waiting, 0 running, 1 given up; the oldest is 0 s overdue"


async def test_jobs_that_nobody_does_are_an_alarm(runtime: Runtime, clock: FrozenClock) -> None:
    async with runtime.unit() as unit:
        runtime.get(Jobs).enqueue(unit, refuse)
    clock.advance(timedelta(minutes=6))

    with pytest.raises(Overdue, match=r"1 waiting.*360 s overdue: does a worker run"):
        await describe_jobs(runtime)


async def test_jobs_of_another_release_are_named(runtime: Runtime) -> None:
    async with runtime.unit() as unit:
        runtime.get(Jobs).enqueue(unit, refuse)
    async with runtime.unit() as unit:
        await unit.session.execute(update(JobRecord).values(name="test.of_tomorrow"))

    with pytest.raises(Overdue, match=r"of no release that runs here: test\.of_tomorrow \(1\)"):
        await describe_jobs(runtime)


async def test_event_that_cannot_be_told_is_an_alarm_with_its_reason(
    runtime: Runtime, clock: FrozenClock
) -> None:
    async with runtime.unit() as unit:
        await runtime.get(EventBus).emit(OrderPlaced(at=clock.now(), order="one"), unit)
    calm = await describe_outbox(runtime)
    async with runtime.unit() as unit:
        await unit.session.execute(update(OutboxRecord).values(version=99))
    await run_due_jobs(runtime)

    assert calm == "1 waiting, the oldest for 0 s; 0 not at the broker yet"
    with pytest.raises(Overdue, match=r"1 cannot be fanned out: nobody here knows test\.order_placed v99"):
        await describe_outbox(runtime)
