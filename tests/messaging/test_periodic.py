"""Periodic work repeats, survives its failures, and ends with the process."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from portico.feature import Feature
from portico.messaging.periodic import Periodic, PeriodicRunner
from portico.runtime import Runtime

pytestmark = pytest.mark.anyio


@pytest.fixture
def features() -> Sequence[Feature]:
    return []


@pytest.mark.bar("ASVS-16.5.4")
async def test_work_that_fails_is_tried_again(runtime: Runtime) -> None:
    runs = asyncio.Semaphore(0)

    async def work(_: Runtime) -> None:
        runs.release()
        raise ValueError("today is not a good day")

    runner = PeriodicRunner(runtime, [Periodic("failing", timedelta(milliseconds=5), work)])
    runner.start()
    async with asyncio.timeout(5):
        for _ in range(3):
            await runs.acquire()
    await runner.stop()


async def test_wake_does_not_wait_for_the_turn(runtime: Runtime) -> None:
    runs = asyncio.Semaphore(0)

    async def work(_: Runtime) -> None:
        runs.release()

    runner = PeriodicRunner(runtime, [Periodic("rare", timedelta(hours=1), work)])
    runner.start()
    async with asyncio.timeout(5):
        await runs.acquire()
        runner.wake("rare")
        await runs.acquire()
    runner.wake("unknown")
    await runner.stop()


async def test_wakes_that_may_wait_are_one_run(runtime: Runtime) -> None:
    runs: list[float] = []

    async def work(_: Runtime) -> None:
        runs.append(asyncio.get_running_loop().time())

    runner = PeriodicRunner(runtime, [Periodic("rare", timedelta(hours=1), work)])
    runner.start()
    await asyncio.sleep(0.02)
    for _ in range(5):
        runner.wake("rare", within=0.05)
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.1)
    runner.wake("rare", within=0.01)
    await asyncio.sleep(0.1)
    await runner.stop()

    assert len(runs) == 3
    assert runs[1] - runs[0] >= 0.05


async def test_stopping_lets_a_run_end_and_begins_no_other(runtime: Runtime) -> None:
    """Cancelled inside a transaction, a connection once came back to its pool with a traceback in the log."""
    begun, ended = asyncio.Event(), []

    async def work(_: Runtime) -> None:
        begun.set()
        await asyncio.sleep(0.05)
        ended.append(True)

    runner = PeriodicRunner(runtime, [Periodic("slow", timedelta(0), work)])
    runner.start()
    await begun.wait()
    await runner.stop()

    assert ended == [True]


async def test_stopping_cancels_what_does_not_end(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portico.messaging.periodic.GRACE_SECONDS", 0.01)
    begun = asyncio.Event()

    async def work(_: Runtime) -> None:
        begun.set()
        await asyncio.Event().wait()

    runner = PeriodicRunner(runtime, [Periodic("endless", timedelta(0), work)])
    runner.start()
    await begun.wait()
    async with asyncio.timeout(5):
        await runner.stop()
