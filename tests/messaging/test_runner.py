"""The embedded runner: claims what it has room for, keeps its leases, stops without losing anything."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from portico.core import failpoints
from portico.feature import Feature
from portico.messaging import JobRun, Jobs, JobStatus, PauseQueue, job
from portico.messaging.execution import recover_lost
from portico.messaging.models import JobRecord
from portico.messaging.runner import JobRunner
from portico.runtime import Runtime

pytestmark = pytest.mark.anyio

ran: list[str] = []
gate = asyncio.Event()
under_way = 0
most_under_way = 0


@job("test.quick")
async def quick(run: JobRun, *, what: str) -> None:
    ran.append(what)


@job("test.gated")
async def gated(run: JobRun, *, what: str) -> None:
    global under_way, most_under_way  # noqa: PLW0603 - counted by the test
    under_way += 1
    most_under_way = max(most_under_way, under_way)
    try:
        await gate.wait()
        ran.append(what)
    finally:
        under_way -= 1


@job("test.stubborn", queue="narrow")
async def pausing(run: JobRun, *, what: str) -> None:
    ran.append(what)
    raise PauseQueue(timedelta(hours=1), "away")


@pytest.fixture
def features() -> Sequence[Feature]:
    global gate, under_way, most_under_way
    ran.clear()
    gate, under_way, most_under_way = asyncio.Event(), 0, 0
    return [Feature(name="work", jobs=[quick, gated, pausing])]


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"jobs": {"lease": 1, "poll": "50ms", "concurrency": {"default": 3, "narrow": 1}}}


@pytest.fixture
async def runner(runtime: Runtime) -> AsyncIterator[JobRunner]:
    runner = JobRunner(runtime)
    runtime.provide(JobRunner, runner)
    runner.start()
    yield runner
    gate.set()
    await runner.stop(timedelta(seconds=1))


async def enqueue(runtime: Runtime, work: Any, *whats: str) -> list[UUID]:
    async with runtime.unit() as unit:
        return [runtime.get(Jobs).enqueue(unit, work, what=what) for what in whats]


async def until(is_so: Any, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


async def test_committed_job_is_done_without_waiting_for_the_next_look(
    runtime: Runtime, runner: JobRunner
) -> None:
    await asyncio.sleep(0.1)
    await enqueue(runtime, quick, "one", "two")

    await until(lambda: len(ran) == 2)

    assert ran == ["one", "two"]


async def test_job_of_another_process_is_found_by_looking(runtime: Runtime, runner: JobRunner) -> None:
    runtime.provided.pop(JobRunner)  # nobody here to wake
    await enqueue(runtime, quick, "found")

    await until(lambda: ran == ["found"])


async def test_no_more_run_than_there_are_slots_and_all_are_done(runtime: Runtime, runner: JobRunner) -> None:
    await enqueue(runtime, gated, *(str(number) for number in range(10)))
    await until(lambda: under_way == 3)
    await asyncio.sleep(0.2)

    gate.set()
    await until(lambda: len(ran) == 10)

    assert most_under_way == 3


async def test_full_queue_says_that_it_has_no_room(runtime: Runtime, runner: JobRunner) -> None:
    assert runner.wake(["default"])
    await enqueue(runtime, gated, "1", "2", "3")
    await until(lambda: under_way == 3)

    assert not runner.wake(["default"])
    assert not runner.wake(["queue of nobody"])


async def test_lease_of_a_long_run_is_kept(runtime: Runtime, runner: JobRunner) -> None:
    [job_id] = await enqueue(runtime, gated, "long")
    await until(lambda: under_way == 1)

    await asyncio.sleep(1.5)
    lost = await recover_lost(runtime) if not runtime.database.is_sqlite else 0
    gate.set()
    await until(lambda: ran == ["long"])
    await runner.stop()

    assert lost == 0
    assert (await runtime.get(Jobs).get(job_id)).status is JobStatus.DONE


@pytest.mark.bar("P12")
async def test_run_whose_job_was_taken_over_is_ended(runtime: Runtime, runner: JobRunner) -> None:
    [job_id] = await enqueue(runtime, gated, "taken over")
    await until(lambda: under_way == 1)
    async with runtime.unit() as unit:
        await unit.session.execute(update(JobRecord).values(claim=uuid4()))

    await until(lambda: under_way == 0)

    assert ran == []
    assert (await runtime.get(Jobs).get(job_id)).status is JobStatus.RUNNING


async def test_cancelled_run_is_ended_and_stays_cancelled(runtime: Runtime, runner: JobRunner) -> None:
    [job_id] = await enqueue(runtime, gated, "cancelled")
    await until(lambda: under_way == 1)

    await runtime.get(Jobs).cancel(runtime.unit(), job_id)
    await until(lambda: under_way == 0)
    await runner.stop()

    assert (await runtime.get(Jobs).get(job_id)).status is JobStatus.CANCELLED


async def test_paused_queue_is_left_alone_and_the_others_are_not(runtime: Runtime, runner: JobRunner) -> None:
    await enqueue(runtime, pausing, "knock", "knock again")
    await until(lambda: len(ran) == 1)

    await enqueue(runtime, quick, "other queue")
    await until(lambda: "other queue" in ran)
    await asyncio.sleep(0.2)

    assert ran == ["knock", "other queue"]


@pytest.mark.bar("P28")
async def test_stopping_lets_runs_end_and_gives_back_what_takes_too_long(
    runtime: Runtime, runner: JobRunner
) -> None:
    [given_back] = await enqueue(runtime, gated, "too long")
    await until(lambda: under_way == 1)

    await runner.stop(timedelta(milliseconds=50))

    view = await runtime.get(Jobs).get(given_back)
    assert (view.status, view.attempts, ran) == (JobStatus.QUEUED, 0, [])
    await enqueue(runtime, quick, "after the stop")
    await asyncio.sleep(0.2)
    assert ran == []


@pytest.mark.bar("P28")
async def test_stopping_loses_no_job_that_was_just_claimed(runtime: Runtime, runner: JobRunner) -> None:
    failpoints.armed["db.unit.after_commit"] = failpoints.delaying(0.05)
    try:
        job_ids = await enqueue(runtime, quick, "1", "2", "3")
        await asyncio.sleep(0.02)
        await runner.stop()
    finally:
        failpoints.armed.clear()

    states = [(await runtime.get(Jobs).get(job_id)).status for job_id in job_ids]
    assert set(states) <= {JobStatus.DONE, JobStatus.QUEUED}
