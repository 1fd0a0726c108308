"""A flood of wrong passwords: one alert, flat memory, few rows; and how soon an alert follows its entry."""

import asyncio
import resource
import time
import tracemalloc
from uuid import UUID, uuid4

import pytest

from portico.alerts.ports import AlertMeter
from portico.alerts.services import Following
from portico.alerts.types import Severity
from portico.audit.services import record
from portico.audit.services.sequencing import Sequencer
from portico.audit.types import Outcome
from portico.composition import compose, started
from portico.core.context import RequestContext, set_current_request
from portico.core.settings import Settings
from portico.feature import Feature
from portico.runtime import Runtime
from tests.alerts.conftest import alerts_of, counters_of
from tests.integration.ground import SCALE

pytestmark = pytest.mark.anyio

AT_ONCE = 1_000
PATIENCE_SECONDS = 3


async def flood(runtime: Runtime, user_id: UUID, count: int) -> None:
    """Write wrong passwords of one account, each from another address."""
    for start in range(0, count, AT_ONCE):
        async with (unit := runtime.unit()):
            for number in range(start, min(start + AT_ONCE, count)):
                address = f"198.{18 + number // 65_536 % 2}.{number // 256 % 256}.{number % 256}"
                set_current_request(RequestContext(request_id="flood", client_address=address))
                record(
                    runtime,
                    unit,
                    "password.refused",
                    outcome=Outcome.REFUSED,
                    subject=("user", user_id),
                    reason="too_many_attempts",
                )
    await Sequencer(runtime).run()


async def peak_of_following(runtime: Runtime) -> int:
    """Return how many bytes following needed at most."""
    tracemalloc.start()
    try:
        await Following(runtime).run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.bar("T4")
async def test_flood_is_one_alert_and_flat_memory(runtime: Runtime) -> None:
    victim = uuid4()
    await flood(runtime, victim, 1_000)
    first = await peak_of_following(runtime)
    await flood(runtime, victim, 4_000)
    peak = await peak_of_following(runtime)

    found = await alerts_of(runtime, "failed_sign_ins")
    assert [(alert.subject_id, alert.count) for alert in found] == [(victim, 5_000)]
    assert max(len(row.marks) for row in await counters_of(runtime)) < 20
    assert peak < 1.5 * first + 2 * 2**20


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.bar("T4")
async def test_flood_of_a_hundred_thousand_takes_no_more_memory_than_a_batch(runtime: Runtime) -> None:
    victim = uuid4()
    await flood(runtime, victim, 100_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await Following(runtime).run()
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    found = await alerts_of(runtime, "failed_sign_ins")
    assert [(alert.subject_id, alert.count) for alert in found] == [(victim, 100_000)]
    assert grown_kib < 20 * 2**10


class StopWatch:
    """Takes down when alerts are raised."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def raised(self, _rule: str, _severity: Severity) -> None:
        self.times.append(time.perf_counter())


@pytest.mark.bar("T4")
async def test_alert_follows_its_entry_within_three_seconds(
    settings: Settings, features: list[Feature]
) -> None:
    """With the real clock and the real periodics, at odd moments; each entry raises an alert of its own."""
    watch, written = StopWatch(), list[float]()
    runtime = compose(settings, features)
    runtime.provide(AlertMeter, watch)
    async with started(runtime, runs_jobs=False):
        for number in range(20 * SCALE):
            await asyncio.sleep(0.07 + number % 7 / 10)
            async with (unit := runtime.unit()):
                record(runtime, unit, "api_key.honeytoken_used", subject=("api_key", uuid4()))
            written.append(time.perf_counter())
        await asyncio.sleep(PATIENCE_SECONDS)
    waits = sorted(raised - entry for entry, raised in zip(written, watch.times, strict=True))

    assert waits[-1] < PATIENCE_SECONDS
