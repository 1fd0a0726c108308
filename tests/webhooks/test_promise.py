"""What webhooks promise as a whole (P10): nothing is lost in three days of other people's trouble, and one dead
endpoint among a hundred is felt by nobody.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from portico.composition import compose, opened
from portico.core.settings import Settings
from portico.feature import Feature
from portico.messaging.draining import run_due_jobs
from portico.messaging.relay import relay_events
from portico.messaging.runner import JobRunner
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.sinks import (
    Behaviour,
    HttpSink,
    Received,
    answering,
    breaking_off,
    endless,
    hanging,
)
from portico.webhooks.services import Endpoints, NewEndpoint
from portico.webhooks.types import DeliveryStatus
from tests.webhooks.conftest import MakeEndpoint, deliveries_of, send, waits

pytestmark = pytest.mark.anyio

EVENTS = 12
SPAN = timedelta(hours=72)
LONGEST_RETRY = timedelta(hours=27)


def moody(seed: int, is_up: Callable[[], bool]) -> Behaviour:
    """Fail in every way there is while it is down, and now and then while it is up."""
    random = Random(seed)
    redirect = answering(302, b"", {"Location": "http://169.254.169.254/"})
    moods: list[Behaviour] = [answering(500), redirect, breaking_off(0), breaking_off(3_000)] * 4 + [
        hanging()
    ]
    well = [answering(200), answering(204), endless()]

    async def behave(request: Received, writer: Any) -> None:
        in_mood = moods if not is_up() or random.random() < 0.2 else well
        await random.choice(in_mood)(request, writer)

    return behave


@pytest.mark.bar("P10")
@pytest.mark.parametrize(
    "settings_overrides",
    [{"outbound": {"allow_loopback": True}, "webhooks": {"timeout": timedelta(seconds=1)}}],
    ids=[""],
)
async def test_nothing_is_lost_in_72_hours_of_trouble(
    runtime: Runtime, make_endpoint: MakeEndpoint, clock: FrozenClock, settings_overrides: dict[str, Any]
) -> None:
    """An endpoint that is away for two days, one that fails one time in five, a healthy one, a dead one."""
    began = clock.now()
    healthy = await make_endpoint()
    away = await make_endpoint(
        moody(1, lambda: not timedelta(hours=6) < clock.now() - began < timedelta(hours=54))
    )
    shaky = await make_endpoint(moody(2, lambda: True))
    dead = await make_endpoint(breaking_off(0))

    for number in range(EVENTS):
        await send(runtime, number)
        await run_due_jobs(runtime)
        assert healthy.numbers[-1] == number  # without a second of delay
        await waits(runtime, clock, SPAN / EVENTS)
    await waits(runtime, clock, LONGEST_RETRY)

    everything = set(range(EVENTS))
    assert Counter(healthy.numbers) == Counter(everything)
    assert set(away.numbers) == set(shaky.numbers) == everything
    for endpoint in (healthy, away, shaky):
        rows = await deliveries_of(runtime, endpoint.id)
        assert {row.status for row in rows} == {DeliveryStatus.DELIVERED}
        assert len(rows) == EVENTS
        by_number = {request.headers["webhook-id"] for request in endpoint.sink.received}
        assert by_number == {row.message_id for row in rows}
    lost = [row for row in await deliveries_of(runtime, dead.id) if row.status is DeliveryStatus.DELIVERED]
    assert not lost


@pytest.mark.bar("P10")
@pytest.mark.parametrize("settings_overrides", [{"outbound": {"allow_loopback": True}}], ids=[""])
@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("endpoints", [20, pytest.param(100, marks=pytest.mark.slow)])
async def test_one_dead_endpoint_among_many_is_felt_by_nobody(
    settings: Settings, features: list[Feature], settings_overrides: dict[str, Any], endpoints: int
) -> None:
    """In real time, by the real runner, with the time limit of production; a hundred want a quiet machine."""
    loop = asyncio.get_running_loop()
    sent: dict[int, float] = {}
    delays: list[float] = []
    all_there = asyncio.Event()

    async def note(request: Received, writer: Any) -> None:
        delays.append(loop.time() - sent[json.loads(request.body)["data"]["number"]])
        await answering(204)(request, writer)
        if len(delays) == 2 * (endpoints - 1):
            all_there.set()

    async with (
        HttpSink(note) as well,
        HttpSink(hanging()) as dead,
        opened(compose(settings, features)) as runtime,
    ):
        for index in range(endpoints):
            url = dead.url if index == 5 else f"{well.url}/{index}"
            new = NewEndpoint(url=url, event_names=["parcel.*"])
            await Endpoints(runtime, runtime.unit()).create_endpoint(new)
        runner = JobRunner(runtime)
        runtime.provide(JobRunner, runner)
        runner.start()
        try:
            for number in range(2):
                sent[number] = loop.time()
                await send(runtime, number)
                await relay_events(runtime)
                await asyncio.sleep(0.3)
            async with asyncio.timeout(30):
                await all_there.wait()
        finally:
            await runner.stop(timedelta(0))

    assert sorted(delays)[int(len(delays) * 0.99)] < 5
    assert len(dead.received) >= 1
