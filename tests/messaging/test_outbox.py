"""The outbox: every committed event reaches everybody who hears it, none that was not committed."""

import asyncio
import gc
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from portico.composition import started
from portico.core import failpoints
from portico.core.errors import Unauthenticated
from portico.core.ids import UserId
from portico.db.unit import Unit
from portico.feature import Feature
from portico.messaging import Event, EventBus, JobRun, Jobs, JobStatus, OutboxEvent, after, on
from portico.messaging.draining import run_due_jobs
from portico.messaging.errors import PayloadInvalid, UnknownEvent
from portico.messaging.events import restore_event
from portico.messaging.models import JobRecord, OutboxRecord
from portico.messaging.relay import relay_events
from portico.messaging.sweeps import sweep_jobs, sweep_outbox
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.jobs import do_job

pytestmark = pytest.mark.anyio

heard: list[Any] = []
tapped: list[list[UUID]] = []
broken_taps: set[str] = set()


class Died(BaseException):
    """The process is gone: nothing after it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced(Event):
    """An order was placed."""

    name: ClassVar[str] = "test.order_placed"
    version: ClassVar[int] = 2

    order: str
    buyer_id: UserId | None = None
    amounts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlacedAtFirst(Event):
    """An order was placed, as the first release told it."""

    name: ClassVar[str] = "test.order_placed"
    version: ClassVar[int] = 1

    number: int

    def upgrade(self) -> OrderPlaced:
        return OrderPlaced(id=self.id, at=self.at, order=f"order-{self.number}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Whispered(Event):
    """Something that stays in its transaction."""

    name: ClassVar[str] = "test.whispered"
    is_internal: ClassVar[bool] = True

    secret: str


async def hear(event: OrderPlaced, run: JobRun) -> None:
    if event.order == "poison":
        raise ValueError("no")
    heard.append(("first", event))


async def hear_too(event: OrderPlaced, run: JobRun) -> None:
    heard.append(("second", event))


async def lead_to_another(event: OrderPlaced, unit: Unit, runtime: Runtime) -> None:
    if event.order == "leads":
        await runtime.get(EventBus).emit(OrderPlaced(at=event.at, order="led to"), unit)


async def tap(events: Sequence[OutboxEvent], unit: Unit, runtime: Runtime) -> None:
    tapped.append([event.id for event in events])
    if any(event.payload.get("order") in broken_taps for event in events):
        raise ZeroDivisionError


@pytest.fixture
def features() -> Sequence[Feature]:
    heard.clear()
    tapped.clear()
    broken_taps.clear()
    return [
        Feature(
            name="orders",
            subscribers=[
                on(OrderPlaced, lead_to_another),
                after(OrderPlaced, "test.hear", hear, attempts=2),
                after(OrderPlaced, "test.hear_too", hear_too),
            ],
            taps=[tap],
        )
    ]


async def place(runtime: Runtime, order: str) -> OrderPlaced:
    event = OrderPlaced(at=runtime.clock.now(), order=order, buyer_id=UserId(uuid4()), amounts=(1, 2))  # type: ignore[arg-type]
    async with runtime.unit() as unit:
        await runtime.get(EventBus).emit(event, unit)
    return event


async def count(runtime: Runtime, table: type[OutboxRecord | JobRecord]) -> int:
    async with runtime.reads() as session:
        return (await session.scalar(select(func.count()).select_from(table))) or 0


@pytest.mark.bar("P8")
async def test_committed_event_reaches_each_subscriber_once_as_it_was(runtime: Runtime) -> None:
    event = await place(runtime, "one")

    await run_due_jobs(runtime)
    await run_due_jobs(runtime)

    assert sorted(heard, key=lambda each: each[0]) == [("first", event), ("second", event)]
    assert tapped == [[event.id]]


@pytest.mark.bar("P8")
async def test_event_of_an_act_that_was_rolled_back_reaches_nobody(runtime: Runtime) -> None:
    with pytest.raises(ZeroDivisionError):
        async with runtime.unit() as unit:
            await runtime.get(EventBus).emit(OrderPlaced(at=runtime.clock.now(), order="phantom"), unit)
            raise ZeroDivisionError

    assert (await run_due_jobs(runtime), await count(runtime, OutboxRecord)) == (0, 0)


@pytest.mark.bar("P8")
async def test_event_of_a_refusal_that_is_kept_is_kept_too(runtime: Runtime) -> None:
    class Kept(Unauthenticated):
        persist = True

    with pytest.raises(Kept):
        async with runtime.unit() as unit:
            await runtime.get(EventBus).emit(OrderPlaced(at=runtime.clock.now(), order="kept"), unit)
            raise Kept
    await run_due_jobs(runtime)

    assert {event.order for _, event in heard} == {"kept"}


async def test_events_that_lead_to_events_are_written_together(runtime: Runtime) -> None:
    await place(runtime, "leads")

    await run_due_jobs(runtime)

    assert {event.order for _, event in heard} == {"leads", "led to"}


async def test_internal_event_is_not_stored_and_cannot_be_heard_later(runtime: Runtime) -> None:
    async with runtime.unit() as unit:
        await runtime.get(EventBus).emit(Whispered(at=runtime.clock.now(), secret="s"), unit)

    assert await count(runtime, OutboxRecord) == 0
    with pytest.raises(TypeError):
        EventBus(runtime, [after(Whispered, "test.never", hear)])  # type: ignore[arg-type]


async def test_subscriber_that_fails_is_tried_again_and_holds_up_no_other(
    runtime: Runtime, clock: FrozenClock
) -> None:
    await place(runtime, "poison")

    await run_due_jobs(runtime)
    clock.advance(timedelta(minutes=1))
    await run_due_jobs(runtime)

    jobs = {job.name: job for job in await runtime.get(Jobs).list_newest()}
    assert [name for name, _ in heard] == ["second"]
    assert jobs["on:test.hear"].status is JobStatus.DEAD
    assert jobs["on:test.hear_too"].status is JobStatus.DONE


async def test_event_of_an_earlier_release_is_heard_as_todays(runtime: Runtime) -> None:
    async with runtime.unit() as unit:
        await runtime.get(EventBus).emit(OrderPlacedAtFirst(at=runtime.clock.now(), number=7), unit)

    await run_due_jobs(runtime)

    assert {event.order for _, event in heard} == {"order-7"}


async def test_event_of_another_release_waits_for_it_and_holds_up_no_other(
    runtime: Runtime, clock: FrozenClock
) -> None:
    await place(runtime, "of tomorrow")
    async with runtime.unit() as unit:
        await unit.session.execute(update(OutboxRecord).values(version=99))
    await place(runtime, "of today")

    await run_due_jobs(runtime)
    state = await runtime.get(Jobs).outbox_state()
    async with runtime.unit() as unit:
        await unit.session.execute(update(OutboxRecord).values(version=2))
    clock.advance(timedelta(minutes=2))
    before = {event.order for _, event in heard}
    await run_due_jobs(runtime)

    assert (state.waiting, state.faulty) == (1, 1)
    assert before == {"of today"}
    assert {event.order for _, event in heard} == {"of today", "of tomorrow"}


async def test_job_that_tells_of_an_event_of_another_release_waits_for_it(
    runtime: Runtime, clock: FrozenClock
) -> None:
    """Fanned out by a newer process, claimed by an older one, which knows the subscriber and not the version."""
    await place(runtime, "of tomorrow")
    await relay_events(runtime)
    async with runtime.unit() as unit:
        jobs = (await unit.session.scalars(select(JobRecord))).all()
        for job in jobs:
            job.arguments = {**job.arguments, "version": 99}
    await run_due_jobs(runtime)
    waiting = await runtime.get(Jobs).list_newest()
    async with runtime.unit() as unit:
        for job in (await unit.session.scalars(select(JobRecord))).all():
            job.arguments = {**job.arguments, "version": 2}
    clock.advance(timedelta(minutes=2))
    await run_due_jobs(runtime)

    assert {(job.status, job.attempts) for job in waiting} == {(JobStatus.QUEUED, 0)}
    assert {event.order for _, event in heard} == {"of tomorrow"}


async def test_job_whose_event_is_none_is_given_up(runtime: Runtime) -> None:
    await place(runtime, "broken")
    await relay_events(runtime)
    async with runtime.unit() as unit:
        await unit.session.execute(update(JobRecord).values(arguments={"name": "test.order_placed"}))

    await run_due_jobs(runtime)

    assert {job.status for job in await runtime.get(Jobs).list_newest()} == {JobStatus.DEAD}


async def test_event_that_cannot_be_fanned_out_holds_up_no_other_and_goes_later(
    runtime: Runtime, clock: FrozenClock
) -> None:
    broken_taps.add("poison")
    await place(runtime, "before")
    await place(runtime, "poison")
    await place(runtime, "after")

    await run_due_jobs(runtime)
    at_first = {event.order for _, event in heard}
    state = await runtime.get(Jobs).outbox_state()
    broken_taps.clear()
    clock.advance(timedelta(seconds=6))
    await relay_events(runtime)

    assert at_first == {"before", "after"}
    assert (state.waiting, state.faulty) == (1, 1)
    assert (await runtime.get(Jobs).outbox_state()).waiting == 0


@pytest.mark.bar("P8")
@pytest.mark.parametrize(
    "point", ["relay.after_claim", "relay.before_mark", "db.unit.before_commit", "db.unit.after_commit"]
)
async def test_relay_that_dies_loses_nothing_and_repeats_nothing(runtime: Runtime, point: str) -> None:
    event = await place(runtime, "one")

    async def die(_: str) -> None:
        raise Died

    failpoints.armed[point] = die
    try:
        with pytest.raises(Died):
            await relay_events(runtime)
    finally:
        failpoints.armed.clear()
    await run_due_jobs(runtime)

    assert sorted(heard, key=lambda each: each[0]) == [("first", event), ("second", event)]


@pytest.mark.bar("P8")
async def test_relays_side_by_side_deliver_once(runtime: Runtime) -> None:
    for number in range(30):
        await place(runtime, str(number))

    await asyncio.gather(*(relay_events(runtime) for _ in range(4)))
    await run_due_jobs(runtime)

    assert sorted(int(event.order) for name, event in heard if name == "first") == list(range(30))


async def test_running_process_delivers_by_itself_and_at_once(runtime: Runtime) -> None:
    async with started(runtime):
        begun = asyncio.get_running_loop().time()
        await place(runtime, "live")
        async with asyncio.timeout(5):
            while len(heard) < 2:  # noqa: ASYNC110 - the handlers tell nobody
                await asyncio.sleep(0.005)
        took = asyncio.get_running_loop().time() - begun

    assert took < 0.9, "woken by the commit, not found by looking once a second"


async def test_what_is_over_is_forgotten_in_time(runtime: Runtime, clock: FrozenClock) -> None:
    await place(runtime, "old")
    await run_due_jobs(runtime)
    clock.advance(timedelta(days=4))
    await place(runtime, "new")

    await do_job(runtime, sweep_outbox)
    await do_job(runtime, sweep_jobs)

    assert await count(runtime, OutboxRecord) == 1
    assert {job.name for job in await runtime.get(Jobs).list_newest()} == {
        "on:test.hear", "on:test.hear_too", "messaging.sweep_outbox", "messaging.sweep_jobs",
    }  # fmt: skip


def test_stored_event_that_does_not_fit_names_the_field_and_not_the_value(clock: FrozenClock) -> None:
    with pytest.raises(PayloadInvalid, match="order") as caught:
        restore_event("test.order_placed", 2, uuid4(), clock.now(), {"order": ["hunter2"]})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(UnknownEvent):
        restore_event("test.order_placed", 3, uuid4(), clock.now(), {})


def test_every_event_survives_its_storage() -> None:
    """What the features announce can be written down; a field that JSON cannot hold would fail here."""
    from portico.app import default_features

    default_features()
    kinds = [kind for kind in Event.registry.values() if kind.__module__.startswith("portico.")]

    assert len(kinds) > 15
    for kind in kinds:
        assert kind.is_internal or kind.__dataclass_fields__.keys() >= {"id", "at"}


@pytest.mark.bar("P38")
@pytest.mark.parametrize("ends", ["commits", "rolls back"])
async def test_unit_is_freed_with_what_was_written_in_it(runtime: Runtime, ends: str) -> None:
    """A table of units beside them once kept each that had emitted, 5 kB a sign-in, for the life of the process."""
    unit = runtime.unit()
    with suppress(ZeroDivisionError):
        async with unit:
            await runtime.get(EventBus).emit(OrderPlaced(at=runtime.clock.now(), order="one"), unit)
            if ends == "rolls back":
                raise ZeroDivisionError
    alive = weakref.ref(unit)
    del unit
    gc.collect()

    assert alive() is None


class TestSavepoints:
    """What a savepoint undoes did not happen, and leads to nothing."""

    async def test_events_and_jobs_of_a_savepoint_that_is_undone_are_gone(self, runtime: Runtime) -> None:
        bus, jobs, now = runtime.get(EventBus), runtime.get(Jobs), runtime.clock.now()
        async with runtime.unit() as unit:
            await bus.emit(OrderPlaced(at=now, order="before"), unit)
            with suppress(ZeroDivisionError):
                async with unit.savepoint():
                    await bus.emit(OrderPlaced(at=now, order="undone"), unit)
                    jobs.enqueue(unit, sweep_jobs)
                    raise ZeroDivisionError
            await bus.emit(OrderPlaced(at=now, order="after"), unit)
        await run_due_jobs(runtime)

        assert {event.order for _, event in heard} == {"before", "after"}
        assert await jobs.list_newest(name="messaging.sweep_jobs") == []

    async def test_events_of_a_savepoint_that_is_kept_are_heard(self, runtime: Runtime) -> None:
        async with runtime.unit() as unit, unit.savepoint():
            event = OrderPlaced(at=runtime.clock.now(), order="kept")
            await runtime.get(EventBus).emit(event, unit)
        await run_due_jobs(runtime)

        assert {event.order for _, event in heard} == {"kept"}
