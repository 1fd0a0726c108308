"""Jobs: written with the act, done once, again until they succeed, and given up in the open."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from portico.audit.services import record
from portico.core import failpoints
from portico.feature import Feature
from portico.messaging import Backoff, JobRefused, JobRun, Jobs, JobStatus, PauseQueue, RetryLater, job
from portico.messaging.draining import run_due_jobs, run_job
from portico.messaging.errors import JobNotFound, JobNotRetriable, JobOver, LeaseLost, PayloadInvalid
from portico.messaging.execution import recover_lost
from portico.messaging.models import JobRecord
from portico.messaging.types import JobView
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio

ran: list[Any] = []


class Died(BaseException):
    """The process is gone: nothing after it runs."""


@job("test.note", attempts=3, backoff=Backoff(first=timedelta(seconds=10), longest=timedelta(seconds=15)))
async def note(run: JobRun, *, what: str, times: int = 1) -> None:
    ran.append((what, times, run.attempt))
    if what == "fails":
        raise ValueError("ada@example.com could not be found")
    if what == "exits":
        raise SystemExit(3)
    if what == "out of memory":
        raise MemoryError
    if what == "refused":
        raise JobRefused("never")
    if what == "later":
        raise RetryLater(timedelta(minutes=1), "not now", counted=False)
    if what == "paused":
        raise PauseQueue(timedelta(minutes=1), "the other side is away")
    if what == "dies":
        raise Died


@job("test.writes")
async def write_once(run: JobRun, *, action: str) -> None:
    async with run.unit() as unit:
        record(run.runtime, unit, action)


@job("test.hangs", time_limit=timedelta(milliseconds=50), attempts=1)
async def hang(run: JobRun) -> None:
    await asyncio.Event().wait()


@job("test.renamed", formerly=("test.old_name",))
async def renamed(run: JobRun, *, what: str, added: int = 7) -> None:
    ran.append((what, added))


@pytest.fixture
def features() -> Sequence[Feature]:
    ran.clear()
    return [Feature(name="work", jobs=[note, write_once, hang, renamed])]


async def enqueue(runtime: Runtime, work: Any, **arguments: Any) -> UUID:
    async with runtime.unit() as unit:
        return runtime.get(Jobs).enqueue(unit, work, **arguments)


async def view(runtime: Runtime, job_id: UUID) -> JobView:
    return await runtime.get(Jobs).get(job_id)


async def actions(runtime: Runtime) -> list[str]:
    from sqlalchemy import select

    from portico.audit.models import AuditEntry

    async with runtime.reads() as session:
        return list(await session.scalars(select(AuditEntry.action)))


async def test_job_of_a_committed_act_is_done_once(runtime: Runtime) -> None:
    job_id = await enqueue(runtime, note, what="once")

    await run_due_jobs(runtime)
    await run_due_jobs(runtime)

    assert ran == [("once", 1, 1)]
    assert (await view(runtime, job_id)).status is JobStatus.DONE


@pytest.mark.bar("P8")
async def test_job_of_an_act_that_was_rolled_back_is_never_done(runtime: Runtime) -> None:
    with pytest.raises(ZeroDivisionError):
        async with runtime.unit() as unit:
            runtime.get(Jobs).enqueue(unit, note, what="phantom")
            raise ZeroDivisionError

    assert (await run_due_jobs(runtime), ran) == (0, [])


async def test_arguments_of_another_type_are_refused_where_the_job_is_written(runtime: Runtime) -> None:
    async with runtime.unit() as unit:
        with pytest.raises(PayloadInvalid, match="times"):
            runtime.get(Jobs).enqueue(unit, note, what="x", times="many")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            runtime.get(Jobs).enqueue(unit, note, nothing="x")  # type: ignore[call-arg]


async def test_failing_job_waits_longer_each_time_and_is_given_up_in_the_open(
    runtime: Runtime, clock: FrozenClock
) -> None:
    job_id = await enqueue(runtime, note, what="fails")

    waits = []
    for _ in range(2):
        await run_due_jobs(runtime)
        waits.append(((await view(runtime, job_id)).run_at - clock.now()).total_seconds())
        clock.advance(timedelta(seconds=16))
    await run_due_jobs(runtime)

    dead = await view(runtime, job_id)
    assert 8 <= waits[0] <= 10
    assert 12 <= waits[1] <= 15
    assert (dead.status, dead.attempts, [attempt for *_, attempt in ran]) == (JobStatus.DEAD, 3, [1, 2, 3])
    assert dead.last_error is not None
    assert "ValueError" in dead.last_error
    assert "ada@example.com" not in dead.last_error


@pytest.mark.parametrize("what", ["exits", "out of memory"])
async def test_job_that_exits_or_runs_out_of_memory_is_a_failure_and_not_the_end_of_the_process(
    runtime: Runtime, what: str
) -> None:
    job_id = await enqueue(runtime, note, what=what)

    await run_due_jobs(runtime)

    assert (await view(runtime, job_id)).status is JobStatus.QUEUED


async def test_job_that_hangs_is_ended_at_its_limit(runtime: Runtime) -> None:
    job_id = await enqueue(runtime, hang)

    await run_due_jobs(runtime)

    hung = await view(runtime, job_id)
    assert (hung.status, hung.last_error) == (JobStatus.DEAD, "TimeoutError: not done within 0.05 seconds")


async def test_job_that_says_so_is_given_up_at_once_or_tried_later_uncounted(
    runtime: Runtime, clock: FrozenClock
) -> None:
    refused = await enqueue(runtime, note, what="refused")
    later = await enqueue(runtime, note, what="later")
    paused = await enqueue(runtime, note, what="paused")

    await run_due_jobs(runtime)

    assert (await view(runtime, refused)).status is JobStatus.DEAD
    for waiting in (await view(runtime, later), await view(runtime, paused)):
        assert (waiting.status, waiting.attempts) == (JobStatus.QUEUED, 0)
        assert waiting.run_at == clock.now() + timedelta(minutes=1)


async def test_given_up_job_can_be_tried_again_with_all_its_attempts(runtime: Runtime) -> None:
    job_id = await enqueue(runtime, note, what="refused")
    await run_due_jobs(runtime)

    await runtime.get(Jobs).retry(runtime.unit(), job_id)
    await run_due_jobs(runtime)

    assert [attempt for *_, attempt in ran] == [1, 1]
    with pytest.raises(JobNotFound):
        await runtime.get(Jobs).retry(runtime.unit(), uuid4())
    done = await enqueue(runtime, note, what="fine")
    await run_due_jobs(runtime)
    with pytest.raises(JobNotRetriable):
        await runtime.get(Jobs).retry(runtime.unit(), done)


async def test_cancelled_job_is_not_done(runtime: Runtime) -> None:
    job_id = await enqueue(runtime, note, what="cancelled")

    await runtime.get(Jobs).cancel(runtime.unit(), job_id)
    await run_due_jobs(runtime)

    assert (ran, (await view(runtime, job_id)).status) == ([], JobStatus.CANCELLED)
    with pytest.raises(JobOver):
        await runtime.get(Jobs).cancel(runtime.unit(), job_id)


async def test_later_and_urgent_jobs_take_their_turn(runtime: Runtime, clock: FrozenClock) -> None:
    await enqueue(runtime, note.when(run_at=clock.now() + timedelta(hours=1)), what="tomorrow")
    await enqueue(runtime, note, what="usual")
    await enqueue(runtime, note.when(priority=-1), what="urgent")

    await run_due_jobs(runtime)
    clock.advance(timedelta(hours=1))
    await run_due_jobs(runtime)

    assert [what for what, *_ in ran] == ["urgent", "usual", "tomorrow"]


async def test_unique_job_waits_once(runtime: Runtime) -> None:
    for number in range(3):
        await enqueue(runtime, note.when(unique_key="cart-1"), what=f"first {number}")
    await run_due_jobs(runtime)
    await enqueue(runtime, note.when(unique_key="cart-1"), what="second")
    await run_due_jobs(runtime)

    assert [what for what, *_ in ran] == ["first 0", "second"]


async def test_unique_job_that_fails_gives_way_to_one_that_waits(runtime: Runtime) -> None:
    failing = await enqueue(runtime, note.when(unique_key="cart-1"), what="fails")
    async with runtime.unit() as unit:
        await unit.session.execute(update(JobRecord).values(status=JobStatus.RUNNING, claim=uuid4()))
    await enqueue(runtime, note.when(unique_key="cart-1"), what="later one")
    async with runtime.unit() as unit:
        await unit.session.execute(
            update(JobRecord)
            .where(JobRecord.id == failing)
            .values(claimed_until=runtime.clock.now() - timedelta(days=1))
        )

    await recover_lost(runtime)
    await run_due_jobs(runtime)

    assert [what for what, *_ in ran] == ["later one"]
    assert (await view(runtime, failing)).status is JobStatus.CANCELLED


@pytest.mark.bar("P11")
async def test_what_a_job_writes_with_its_unit_is_written_once_however_often_it_is_delivered(
    runtime: Runtime,
) -> None:
    job_id = await enqueue(runtime, write_once, action="test.written")

    outcomes = [await run_job(runtime, job_id) for _ in range(3)]

    assert outcomes == [JobStatus.DONE, None, None]
    assert await actions(runtime) == ["test.written"]


@pytest.mark.bar("P12")
async def test_run_that_was_taken_over_changes_nothing(runtime: Runtime) -> None:
    """A process that slept past its lease wakes up in the middle of a job that another one has done meanwhile."""
    job_id = await enqueue(runtime, write_once, action="test.written")

    async def sleep_past_the_lease(_: str) -> None:
        failpoints.armed.clear()
        async with runtime.unit() as unit:
            await unit.session.execute(
                update(JobRecord).values(claimed_until=runtime.clock.now() - timedelta(days=1))
            )
        await recover_lost(runtime)
        assert await run_job(runtime, job_id) is JobStatus.DONE

    failpoints.armed["jobs.run.after_claim"] = sleep_past_the_lease
    try:
        outcome = await run_job(runtime, job_id)
    finally:
        failpoints.armed.clear()

    assert (outcome, await actions(runtime)) == (None, ["test.written"])


@pytest.mark.bar("P1", "P8")
async def test_job_of_a_process_that_died_is_done_by_the_next(runtime: Runtime, clock: FrozenClock) -> None:
    job_id = await enqueue(runtime, note, what="dies")
    with pytest.raises(Died):
        await run_due_jobs(runtime)
    async with runtime.unit() as unit:
        expired = clock.now() - timedelta(days=1)
        await unit.session.execute(
            update(JobRecord).values(claimed_until=expired, arguments={"what": "lives"})
        )

    assert await run_due_jobs(runtime) == 0, "the claim of the dead process holds until it is recovered"
    assert await recover_lost(runtime) == 1
    await run_due_jobs(runtime)

    assert [(what, attempt) for what, _, attempt in ran] == [("dies", 1), ("lives", 2)]
    assert (await view(runtime, job_id)).status is JobStatus.DONE


async def test_job_that_kills_its_process_each_time_is_given_up(runtime: Runtime, clock: FrozenClock) -> None:
    job_id = await enqueue(runtime, note, what="dies")
    for _ in range(3):
        with pytest.raises(Died):
            await run_due_jobs(runtime)
        async with runtime.unit() as unit:
            await unit.session.execute(
                update(JobRecord).values(claimed_until=clock.now() - timedelta(days=1))
            )
        await recover_lost(runtime)
        clock.advance(timedelta(seconds=20))

    dead = await view(runtime, job_id)
    assert (dead.status, len(ran)) == (JobStatus.DEAD, 3)
    assert "went away during attempt 3" in (dead.last_error or "")


async def test_job_of_an_earlier_release_is_done(runtime: Runtime) -> None:
    job_id = await enqueue(runtime, renamed, what="kept")
    async with runtime.unit() as unit:
        arguments = {"what": "kept", "gone": [1, 2]}
        await unit.session.execute(update(JobRecord).values(name="test.old_name", arguments=arguments))

    await run_due_jobs(runtime)

    assert (ran, (await view(runtime, job_id)).status) == ([("kept", 7)], JobStatus.DONE)


async def test_job_of_another_release_waits_for_it(runtime: Runtime) -> None:
    job_id = await enqueue(runtime, note, what="future")
    async with runtime.unit() as unit:
        await unit.session.execute(update(JobRecord).values(name="test.of_tomorrow"))

    await run_due_jobs(runtime)

    assert (await view(runtime, job_id)).status is JobStatus.QUEUED
    assert await runtime.get(Jobs).unknown_names() == {"test.of_tomorrow": 1}


async def test_payload_that_does_not_fit_is_given_up_with_the_field_and_without_the_value(
    runtime: Runtime,
) -> None:
    job_id = await enqueue(runtime, note, what="x")
    async with runtime.unit() as unit:
        await unit.session.execute(update(JobRecord).values(arguments={"what": {"secret": "hunter2"}}))

    await run_due_jobs(runtime)

    dead = await view(runtime, job_id)
    assert dead.status is JobStatus.DEAD
    assert "what" in (dead.last_error or "")
    assert "hunter2" not in (dead.last_error or "")


async def test_second_transaction_of_a_run_is_refused(runtime: Runtime) -> None:
    from portico.messaging.types import ClaimedJob

    claimed = ClaimedJob(uuid4(), uuid4(), "x", "default", {}, 1, 0, runtime.clock.now(), None)
    run = JobRun(runtime=runtime, job=claimed, attempts=1)
    with pytest.raises(LeaseLost):
        async with run.unit():
            pass
    with pytest.raises(RuntimeError):
        run.unit()


@pytest.mark.bar("P11")
async def test_two_processes_never_do_the_same_job(runtime: Runtime) -> None:
    for number in range(20):
        await enqueue(runtime, note, what=str(number))
    failpoints.armed["jobs.run.after_claim"] = failpoints.delaying(0.005)
    try:
        await asyncio.gather(*(run_due_jobs(runtime) for _ in range(3)))
    finally:
        failpoints.armed.clear()

    assert sorted(int(what) for what, *_ in ran) == list(range(20))


def test_a_job_is_an_async_function_with_named_arguments() -> None:
    with pytest.raises(TypeError):
        job("test.sync")(lambda _: None)  # type: ignore[arg-type,return-value]

    async def anything(run: JobRun, *values: int) -> None:
        """Take anything."""

    with pytest.raises(TypeError):
        job("test.positional")(anything)


@pytest.mark.bar("P11")
async def test_unique_job_does_not_run_before_the_act_that_asked_for_it_again_is_committed(
    runtime: Runtime,
) -> None:
    """Run before, it would miss what the act writes, and the act's own job was left out."""
    await enqueue(runtime, note.when(unique_key="cart-1"), what="first")
    async with runtime.unit() as unit:
        runtime.get(Jobs).enqueue(unit, note.when(unique_key="cart-1"), what="left out")
        await unit.settle()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await run_due_jobs(runtime)
        before = list(ran)
    await run_due_jobs(runtime)

    assert (before, [what for what, *_ in ran]) == ([], ["first"])


async def test_unique_job_that_waits_is_asked_for_sooner(runtime: Runtime, clock: FrozenClock) -> None:
    later = clock.now() + timedelta(hours=1)
    await enqueue(runtime, note.when(unique_key="cart-1", run_at=later), what="first")
    await enqueue(runtime, note.when(unique_key="cart-1"), what="left out")

    await run_due_jobs(runtime)

    assert [what for what, *_ in ran] == ["first"]
