"""Every committed event reaches the broker, as a CloudEvent, at least once."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from sqlalchemy import func, select

from portico.composition import started
from portico.core import failpoints
from portico.messaging.models import OutboxRecord
from portico.messaging.publishing import publisher as module
from portico.messaging.publishing.publisher import EventPublisher
from portico.runtime import Runtime
from portico.testing import services
from portico.testing.clock import FrozenClock
from tests.messaging.publishing.conftest import Broker, arrived, emit


async def waiting(runtime: Runtime) -> int:
    async with runtime.reads() as session:
        return (await session.execute(select(func.count(OutboxRecord.publish_at)))).scalar_one()


def ids(messages: list[Any]) -> list[str]:
    return [json.loads(message.body)["id"] for message in messages]


@contextmanager
def away(broker: Broker) -> Iterator[None]:
    broker.stop()
    try:
        yield
    finally:
        broker.start()


@pytest.mark.bar("P8")
async def test_committed_events_arrive_once(
    runtime: Runtime, publisher: EventPublisher, broker: Broker
) -> None:
    events = await emit(runtime, 250)

    assert await publisher.publish() == 250
    assert await publisher.publish() == 0
    assert sorted(ids(await arrived(broker))) == sorted(map(str, events))
    assert await waiting(runtime) == 0


@pytest.mark.bar("P8")
async def test_event_of_an_act_that_is_rolled_back_never_arrives(
    runtime: Runtime, publisher: EventPublisher, broker: Broker
) -> None:
    await emit(runtime, slice_="kept")
    with failpoint("db.unit.before_commit", failpoints.raising()), pytest.raises(failpoints.Failure):
        await emit(runtime, slice_="rolled back")

    await publisher.publish()

    assert [json.loads(message.body)["data"] for message in await arrived(broker)] == [{"slice": "kept"}]


async def test_message_is_a_cloud_event_to_the_sdk_of_the_specification(
    runtime: Runtime, publisher: EventPublisher, broker: Broker, clock: FrozenClock
) -> None:
    (event_id,) = await emit(runtime, slice_="größer")

    await publisher.publish()

    (message,) = await arrived(broker)
    event = JSONFormat().read(CloudEvent, message.body)
    assert json.loads(message.body)["specversion"] == "1.0"  # which the SDK takes for granted
    assert event.get_id() == str(event_id)
    assert event.get_type() == "pie.picked"
    assert event.get_source() == "http://localhost:8000"
    assert event.get_time() == clock.now()
    assert event.get_datacontenttype() == "application/json"
    assert event.get_extension("eventversion") == 1
    assert event.get_data() == {"slice": "größer"}


async def test_brokers_own_fields_name_the_id_and_the_format(
    runtime: Runtime, publisher: EventPublisher, broker: Broker
) -> None:
    (event_id,) = await emit(runtime)
    await publisher.publish()

    (message,) = await arrived(broker)

    if broker.kind == "nats":
        assert message.headers["Nats-Msg-Id"] == str(event_id)
    if broker.kind == "rabbitmq":
        assert message.headers["message-id"] == str(event_id)
    if broker.kind != "valkey":  # its entries have no headers
        assert message.headers["content-type"] == "application/cloudevents+json"


@pytest.mark.bar("P20")
async def test_broker_that_is_away_is_left_alone_for_longer_each_time(
    runtime: Runtime, publisher: EventPublisher, broker: Broker, clock: FrozenClock
) -> None:
    events = await emit(runtime, 3)
    await publisher.publish()
    events += await emit(runtime, 3)
    with away(broker):
        for pause in (1, 2, 4, 8, 16, 30):
            assert await publisher.publish() == 0
            clock.advance(timedelta(seconds=pause - 0.1))
            assert not publisher._pauses.is_over
            clock.advance(timedelta(seconds=0.1))
        assert await waiting(runtime) == 3

    clock.advance(timedelta(minutes=1))
    assert await publisher.publish() == 3
    expected = events[3:] if broker.kind == "valkey" else events  # a Valkey without a disk begins anew
    assert sorted(ids(await arrived(broker))) == sorted(map(str, expected))


@pytest.mark.bar("P20")
async def test_request_path_does_not_wait_for_a_broker_that_is_away(runtime: Runtime, broker: Broker) -> None:
    with away(broker):
        async with started(runtime, runs_jobs=False):
            begun = time.monotonic()
            await emit(runtime, 10)
            assert time.monotonic() - begun < 1
        assert await waiting(runtime) == 10


@pytest.mark.bar("P8")
@pytest.mark.parametrize("point", ["events.publish.after_claim", "events.publish.after_send"])
async def test_publisher_that_dies_leaves_its_batch_to_another(
    runtime: Runtime, publisher: EventPublisher, broker: Broker, clock: FrozenClock, point: str
) -> None:
    events = await emit(runtime, 3)
    with failpoint(point, failpoints.raising()), pytest.raises(failpoints.Failure):
        await publisher.publish()
    assert await publisher.publish() == 0
    clock.advance(module.CLAIM)

    assert await publisher.publish() == 3
    found = ids(await arrived(broker))
    assert set(found) == set(map(str, events))
    twice = point == "events.publish.after_send" and broker.kind != "nats"  # JetStream drops the second ones
    assert len(found) == (6 if twice else 3)


@pytest.mark.parametrize("broker", ["nats"], indirect=True)  # the others take messages of any size
async def test_event_that_the_broker_refuses_holds_up_no_other(
    runtime: Runtime, publisher: EventPublisher, broker: Broker, clock: FrozenClock
) -> None:
    (large,) = await emit(runtime, slice_="x" * 2_000_000)
    small = await emit(runtime, 2)

    assert await publisher.publish() == 2
    assert sorted(ids(await arrived(broker))) == sorted(map(str, small))
    async with runtime.reads() as session:
        due = (
            await session.execute(select(OutboxRecord.publish_at).where(OutboxRecord.id == large))
        ).scalar()
    assert due is not None
    assert due > clock.now()


@pytest.mark.bar("P20")
@pytest.mark.amqp
@pytest.mark.parametrize("broker", ["rabbitmq"], indirect=True)
async def test_memory_alarm_lets_the_outbox_grow_and_drain(
    runtime: Runtime,
    publisher: EventPublisher,
    broker: services.Rabbit,
    clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BATCH_SECONDS", 1.0)
    await emit(runtime)
    await publisher.publish()
    broker.control("set_vm_memory_high_watermark", "0.0000001")
    try:
        await emit(runtime, 1_000)
        assert await publisher.publish() == 0
        assert await waiting(runtime) == 1_000
    finally:
        broker.control("set_vm_memory_high_watermark", "0.4")
    clock.advance(timedelta(minutes=1))
    monkeypatch.undo()
    begun = time.monotonic()

    assert await publisher.publish() == 1_000
    assert 1_000 / (time.monotonic() - begun) >= 200


@pytest.mark.parametrize("broker", ["valkey"], indirect=True)
async def test_frozen_broker_costs_a_bounded_time(
    runtime: Runtime,
    publisher: EventPublisher,
    broker: services.Valkey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BATCH_SECONDS", 0.5)
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.25)
    await emit(runtime)
    await publisher.publish()
    await emit(runtime, 40)
    broker.pause()
    try:
        begun = time.monotonic()
        assert await publisher.publish() == 0
        assert time.monotonic() - begun < 6
        assert await waiting(runtime) == 40
    finally:
        broker.resume()


@contextmanager
def failpoint(name: str, action: failpoints.Action) -> Iterator[None]:
    failpoints.armed[name] = action
    try:
        yield
    finally:
        del failpoints.armed[name]
