"""Brokers of one's own, each with a way to read what has arrived."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

import pytest

from portico.composition import compose, opened
from portico.core.settings import Settings
from portico.feature import Feature
from portico.messaging import Event, EventBus
from portico.messaging.publishing.publisher import EventPublisher
from portico.runtime import Runtime
from portico.testing import services
from portico.testing.clock import FrozenClock

type Broker = services.Valkey | services.Nats | services.Rabbit

TOPIC = "portico.events"
BROKERS = ["valkey", "nats", pytest.param("rabbitmq", marks=pytest.mark.amqp)]
KINDS: dict[str, type[Broker]] = {
    "valkey": services.Valkey,
    "nats": services.Nats,
    "rabbitmq": services.Rabbit,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PiePicked(Event):
    """Something that happened."""

    name: ClassVar[str] = "pie.picked"

    slice: str


@pytest.fixture(scope="module", params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    try:
        server = KINDS[request.param]()
    except services.ServiceMissing as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
def features() -> Sequence[Feature]:
    return []


@pytest.fixture
def settings_overrides(broker: Broker) -> dict[str, Any]:
    return {"events": {"broker_url": broker.url}}


@pytest.fixture
async def runtime(
    settings: Settings, features: Sequence[Feature], clock: FrozenClock
) -> AsyncIterator[Runtime]:
    async with opened(compose(settings, features, clock=clock)) as runtime:
        yield runtime


@pytest.fixture
async def publisher(runtime: Runtime, broker: Broker) -> AsyncIterator[EventPublisher]:
    await forget(broker)
    publisher = EventPublisher(runtime)
    yield publisher
    await publisher.close()


async def emit(runtime: Runtime, number: int = 1, slice_: str = "apple") -> list[UUID]:
    events = [PiePicked(at=runtime.clock.now(), slice=slice_) for _ in range(number)]
    async with runtime.unit() as unit:
        for event in events:
            await runtime.get(EventBus).emit(event, unit)
    return [event.id for event in events]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as a consumer sees it."""

    headers: dict[str, str]
    body: bytes


async def arrived(broker: Broker) -> list[Arrived]:
    """Everything that is kept at the broker."""
    return await READERS[broker.kind](broker.url)


async def forget(broker: Broker) -> None:
    await FORGETTERS[broker.kind](broker.url)


async def _read_valkey(url: str) -> list[Arrived]:
    from redis.asyncio import Redis

    async with Redis.from_url(url) as client:
        entries: Any = await client.xrange(TOPIC)
    return [Arrived({}, fields[b"__data__"]) for _, fields in entries]


async def _forget_valkey(url: str) -> None:
    from redis.asyncio import Redis

    async with Redis.from_url(url) as client:
        await client.flushall()


async def _read_nats(url: str) -> list[Arrived]:
    import nats

    client = await nats.connect(url)
    try:
        jetstream = client.jetstream()
        count = (await jetstream.stream_info("PORTICO_EVENTS")).state.messages
        if not count:
            return []
        subscription = await jetstream.pull_subscribe(f"{TOPIC}.>", stream="PORTICO_EVENTS")
        messages = await subscription.fetch(count, timeout=5)
        return [Arrived(dict(message.headers or {}), message.data) for message in messages]
    finally:
        await client.close()


async def _forget_nats(url: str) -> None:
    import nats
    from nats.js.errors import NotFoundError

    client = await nats.connect(url)
    with contextlib.suppress(NotFoundError):
        await client.jetstream().delete_stream("PORTICO_EVENTS")
    await client.close()


async def _read_rabbit(url: str) -> list[Arrived]:
    import aio_pika

    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(TOPIC)
        found = []
        while (message := await queue.get(fail=False)) is not None:
            headers = {"content-type": str(message.content_type), "message-id": str(message.message_id)}
            found.append(Arrived(headers, message.body))
        return found  # none is acknowledged: all of them stay


async def _forget_rabbit(url: str) -> None:
    import aio_pika

    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(TOPIC)
        await channel.exchange_delete(TOPIC)


READERS: dict[str, Callable[[str], Awaitable[list[Arrived]]]] = {
    "valkey": _read_valkey,
    "nats": _read_nats,
    "rabbitmq": _read_rabbit,
}
FORGETTERS: dict[str, Callable[[str], Awaitable[None]]] = {
    "valkey": _forget_valkey,
    "nats": _forget_nats,
    "rabbitmq": _forget_rabbit,
}
