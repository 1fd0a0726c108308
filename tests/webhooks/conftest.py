"""Endpoints to deliver to, and what it takes to reach them."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import func, select

from portico.messaging import Event, EventBus, JobStatus
from portico.messaging.draining import run_due_jobs
from portico.messaging.models import JobRecord
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.sinks import Behaviour, HttpSink
from portico.webhooks.models import WebhookDelivery, WebhookEndpoint
from portico.webhooks.repositories import DeliveryRepository, EndpointRepository
from portico.webhooks.services import Endpoints, NewEndpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelSent(Event):
    """An event of a product."""

    name: ClassVar[str] = "parcel.sent"

    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelLost(Event):
    """Another one."""

    name: ClassVar[str] = "parcel.lost"

    number: int = 0


@dataclass
class Made:
    """An endpoint and where it leads."""

    id: UUID
    secret: str
    sink: HttpSink = field(default_factory=HttpSink)

    @property
    def numbers(self) -> list[int]:
        """Return what arrived, in order, as often as it did."""
        return [json.loads(request.body)["data"]["number"] for request in self.sink.received]


type MakeEndpoint = Callable[..., Awaitable[Made]]


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"outbound": {"allow_loopback": True}, "webhooks": {"timeout": timedelta(seconds=0.3)}}


@pytest.fixture
async def make_endpoint(runtime: Runtime) -> AsyncIterator[MakeEndpoint]:
    """Return what makes endpoints that lead to sinks of their own."""
    sinks: list[HttpSink] = []

    async def make(behaviour: Behaviour | None = None, *, events: tuple[str, ...] = ("parcel.*",)) -> Made:
        sink = HttpSink(behaviour) if behaviour else HttpSink()
        await sink.__aenter__()
        sinks.append(sink)
        new = NewEndpoint(url=sink.url, event_names=events)
        row, issued = await Endpoints(runtime, runtime.unit()).create_endpoint(new)
        return Made(row.id, issued.secret, sink)

    yield make
    for sink in sinks:
        await sink.__aexit__(None, None, None)


async def emit(runtime: Runtime, *events: Event) -> None:
    """Commit some events."""
    async with runtime.unit() as unit:
        for event in events:
            await runtime.get(EventBus).emit(event, unit)


async def send(runtime: Runtime, *numbers: int) -> None:
    """Commit a parcel for each number."""
    now = runtime.clock.now()
    await emit(runtime, *(ParcelSent(at=now, number=number) for number in numbers))


async def endpoint_row(runtime: Runtime, endpoint_id: UUID) -> WebhookEndpoint:
    async with runtime.reads() as session:
        return await EndpointRepository(session).get_endpoint(endpoint_id)


async def deliveries_of(runtime: Runtime, endpoint_id: UUID) -> list[WebhookDelivery]:
    async with runtime.reads() as session:
        query = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint_id)
        return list((await session.scalars(query.order_by(WebhookDelivery.id))).all())


async def attempts_of(runtime: Runtime, delivery_id: UUID) -> list[Any]:
    async with runtime.reads() as session:
        return list(await DeliveryRepository(session).list_attempts(delivery_id))


async def waits(runtime: Runtime, clock: FrozenClock, span: timedelta) -> int:
    """Let time pass in jumps to whatever is due next, and do it; return how many jobs were done."""
    ends, done = clock.now() + span, 0
    while True:
        done += await run_due_jobs(runtime)
        async with runtime.reads() as session:
            query = select(func.min(JobRecord.run_at)).where(
                JobRecord.status == JobStatus.QUEUED, JobRecord.name.like("webhooks.%")
            )
            next_at = await session.scalar(query)
        if next_at is None or next_at > ends:
            clock.advance(ends - clock.now())
            return done
        clock.advance(max(next_at - clock.now(), timedelta(milliseconds=1)))
