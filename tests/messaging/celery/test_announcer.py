"""What is due is announced, with its id alone; what the broker loses is announced again."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from kombu.connection import Connection
from sqlalchemy import func, select

from portico.composition import started
from portico.messaging import Jobs
from portico.messaging.celery import announcer as module, broker as broker_module
from portico.messaging.celery.announcer import Announcer
from portico.messaging.celery.wire import announcement, wire_queue
from portico.messaging.models import JobRecord
from portico.runtime import Runtime
from portico.testing import services
from portico.testing.clock import FrozenClock
from tests.messaging.celery.conftest import Broker
from tests.messaging.celery.pantry import note


@contextmanager
def the_queue(broker: Broker) -> Iterator[Any]:
    with Connection(broker.url, connect_timeout=5) as connection:
        yield wire_queue("pantry")(connection.default_channel)


def take_all(broker: Broker) -> list[Any]:
    with the_queue(broker) as queue:
        queue.declare()
        taken = []
        while (message := queue.get(no_ack=True)) is not None:
            taken.append(message)
        return taken


def take_ids(broker: Broker) -> list[UUID]:
    return [UUID(message.payload[0][0]) for message in take_all(broker)]


async def enqueue(runtime: Runtime, number: int = 1, **when: Any) -> list[UUID]:
    async with runtime.unit() as unit:
        return [runtime.get(Jobs).enqueue(unit, note.when(**when), word="x") for _ in range(number)]


async def marked(runtime: Runtime) -> int:
    async with runtime.reads() as session:
        return (await session.execute(select(func.count(JobRecord.announced_at)))).scalar_one()


@pytest.fixture(autouse=True)
def emptied(broker: Broker) -> None:
    take_all(broker)


@pytest.fixture
async def announcer(runtime: Runtime) -> AsyncIterator[Announcer]:
    announcer = Announcer(runtime)
    yield announcer
    await announcer.close()


async def test_what_is_due_is_announced_once(runtime: Runtime, announcer: Announcer, broker: Broker) -> None:
    due = await enqueue(runtime, 3)

    assert await announcer.announce() == 3
    assert await announcer.announce() == 0
    assert take_ids(broker) == due


async def test_message_is_celerys_and_holds_nothing_but_the_id(
    runtime: Runtime, announcer: Announcer, broker: Broker
) -> None:
    (due,) = await enqueue(runtime)

    await announcer.announce()

    (message,) = take_all(broker)
    assert message.content_type == "application/json"
    assert json.loads(message.body) == announcement(due)["body"]
    assert message.payload[0] == [str(due)]


async def test_what_is_due_later_waits(
    runtime: Runtime, announcer: Announcer, broker: Broker, clock: FrozenClock
) -> None:
    (later,) = await enqueue(runtime, run_at=clock.now() + timedelta(hours=1))
    assert await announcer.announce() == 0

    clock.advance(timedelta(hours=1))

    assert await announcer.announce() == 1
    assert take_ids(broker) == [later]


async def test_broker_holds_a_bounded_number_and_the_urgent_overtake(
    runtime: Runtime,
    announcer: Announcer,
    broker: Broker,
    clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WINDOW", 3)
    first = await enqueue(runtime, 5)
    assert await announcer.announce() == 3
    (urgent,) = await enqueue(runtime, priority=-9)
    clock.advance(timedelta(seconds=2))

    assert await announcer.announce() == 0
    assert take_ids(broker) == first[:3]
    clock.advance(timedelta(seconds=2))
    assert await announcer.announce() == 3
    assert take_ids(broker) == [urgent, *first[3:]]


@pytest.mark.bar("P20")
async def test_flushed_broker_is_told_again(
    runtime: Runtime, announcer: Announcer, broker: Broker, clock: FrozenClock
) -> None:
    due = await enqueue(runtime, 4)
    await announcer.announce()
    take_all(broker)

    clock.advance(module.AGAIN_AFTER / 2)
    assert await announcer.announce() == 0
    clock.advance(module.AGAIN_AFTER)

    assert await announcer.announce() == 4
    assert take_ids(broker) == due


async def test_broker_that_still_holds_the_messages_is_not_told_again(
    runtime: Runtime, announcer: Announcer, broker: Broker, clock: FrozenClock
) -> None:
    await enqueue(runtime, 4)
    await announcer.announce()

    for _ in range(5):
        clock.advance(module.AGAIN_AFTER * 2)
        assert await announcer.announce() == 0

    assert len(take_all(broker)) == 4


@pytest.mark.bar("P20")
async def test_broker_that_is_away_is_left_alone_for_longer_each_time(
    runtime: Runtime, announcer: Announcer, broker: Broker, clock: FrozenClock
) -> None:
    due = await enqueue(runtime, 4)
    broker.stop()
    try:
        for pause in (1, 2, 4, 8, 16, 30, 30):
            assert await announcer.announce() == 0
            assert not announcer._pauses.is_over
            clock.advance(timedelta(seconds=pause - 0.1))
            assert not announcer._pauses.is_over
            clock.advance(timedelta(seconds=0.1))
            assert announcer._pauses.is_over
        assert await marked(runtime) == 0
    finally:
        broker.start()

    assert await announcer.announce() == 4
    assert take_ids(broker) == due


@pytest.mark.bar("P20")
async def test_mark_is_taken_back_when_sending_fails(
    runtime: Runtime, announcer: Announcer, broker: Broker, clock: FrozenClock
) -> None:
    await enqueue(runtime)
    await announcer.announce()
    await enqueue(runtime, 2)
    clock.advance(timedelta(milliseconds=1))
    broker.stop()
    try:
        assert await announcer.announce() == 0
        assert await marked(runtime) == 1
    finally:
        broker.start()


@pytest.mark.bar("P20")
async def test_frozen_broker_costs_a_bounded_time(
    runtime: Runtime, announcer: Announcer, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portico.messaging.celery.wire.ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(broker_module, "CONNECT_SECONDS", 0.3)
    await enqueue(runtime)
    broker.pause()
    try:
        begun = time.monotonic()
        assert await announcer.announce() == 0
        assert time.monotonic() - begun < 3
        assert await marked(runtime) == 0
    finally:
        broker.resume()


@pytest.mark.bar("P20")
async def test_request_path_does_not_wait_for_a_broker_that_is_away(runtime: Runtime, broker: Broker) -> None:
    broker.pause()
    try:
        async with started(runtime):
            begun = time.monotonic()
            await enqueue(runtime, 10)
            assert time.monotonic() - begun < 1
    finally:
        broker.resume()


@pytest.mark.bar("P20")
@pytest.mark.amqp
@pytest.mark.parametrize("broker", ["rabbitmq"], indirect=True)
async def test_memory_alarm_lets_the_queue_grow_and_drain(
    runtime: Runtime,
    announcer: Announcer,
    broker: services.Rabbit,
    clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broker_module, "ANSWER_SECONDS", 1.0)
    broker.control("set_vm_memory_high_watermark", "0.0000001")
    try:
        await enqueue(runtime, 2_000)
        assert await announcer.announce() == 0
        assert await marked(runtime) == 0
    finally:
        broker.control("set_vm_memory_high_watermark", "0.4")
    clock.advance(timedelta(minutes=1))
    take_all(broker)  # what was under way when the alarm was over
    begun = time.monotonic()

    assert await announcer.announce() == module.WINDOW
    assert module.WINDOW / (time.monotonic() - begun) >= 200
