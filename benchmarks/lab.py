"""A feature that measures from the inside, and the program that works with it: `python -m benchmarks.lab <what>`.

`quiet_feature` leaves events out of the outbox, so that their price can be told. `lab_feature` has a job that does
nothing, and an event whose subscriber writes into a file how long ago it was emitted.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from portico.app import default_features
from portico.composition import compose, migrator_of, started
from portico.core.logging import configure_logging
from portico.core.settings import Settings
from portico.db.unit import Unit
from portico.feature import Feature
from portico.messaging import Event, EventBus, JobRun, Jobs, JobStatus, after, job
from portico.runtime import Runtime
from portico.webhooks.services import Endpoints, NewEndpoint

LATENCIES = "LAB_LATENCIES"
"""The environment variable that names the file in which latencies are collected."""


class QuietBus(EventBus):
    """Tells subscribers in the transaction, and nobody else."""

    async def emit(self, event: Event, unit: Unit) -> None:
        """Tell the subscribers in the transaction."""
        for handler in self._handlers.get(type(event), ()):
            await handler(event, unit, self._runtime)


def quiet_feature() -> Feature:
    """Return the feature that keeps events out of the outbox."""
    heard = [each for feature in default_features() for each in feature.subscribers]
    return Feature(name="quiet", ports={EventBus: lambda runtime: QuietBus(runtime, heard)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinged(Event):
    """Something that is measured."""

    name: ClassVar[str] = "lab.pinged"

    sent_at: float


async def note_latency(event: Pinged, run: JobRun) -> None:
    """Write how long ago the event was emitted."""
    with Path(os.environ.get(LATENCIES, os.devnull)).open("a") as file:
        file.write(f"{time.time() - event.sent_at}\n")


@job("lab.nothing")
async def do_nothing(run: JobRun) -> None:
    """Do nothing."""


def lab_feature() -> Feature:
    """Return the feature."""
    return Feature(
        name="lab", subscribers=[after(Pinged, "lab.note_latency", note_latency)], jobs=[do_nothing]
    )


async def emit(runtime: Runtime, count: int) -> None:
    """Emit events one after another, as many a second as a busy deployment does."""
    await asyncio.sleep(1.0)
    for _ in range(count):
        async with runtime.unit() as unit:
            event = Pinged(at=runtime.clock.now(), sent_at=time.time())
            await runtime.get(EventBus).emit(event, unit)
        await asyncio.sleep(0.02)
    await asyncio.sleep(1.0)


async def enqueue(runtime: Runtime, count: int) -> None:
    """Write jobs in transactions of a hundred."""
    for _ in range(count // 100):
        async with runtime.unit() as unit:
            for _ in range(100):
                runtime.get(Jobs).enqueue(unit, do_nothing)


async def do_jobs(runtime: Runtime, count: int) -> None:
    """Print how many jobs a second are done, from the first one seen to be until none of `count` is left."""
    while (at_first := await _left(runtime)) in {0, count}:  # until whoever does them has started
        await asyncio.sleep(0.01)
    begun = time.perf_counter()
    async with asyncio.timeout(120):
        while await _left(runtime) > 0:
            await asyncio.sleep(0.1)
    print(json.dumps(at_first / (time.perf_counter() - begun)))


async def deliver(runtime: Runtime, count: int) -> None:
    """Print how many webhooks a second reach the sink whose address is in LAB_SINK, over ten endpoints."""
    for _ in range(10):
        new = NewEndpoint(url=os.environ["LAB_SINK"], event_names=["lab.pinged"])
        await Endpoints(runtime, runtime.unit()).create_endpoint(new)
    log, begun = Path(os.environ["LAB_SINK_LOG"]), time.perf_counter()
    for _ in range(count // 100):
        async with runtime.unit() as unit:
            for _ in range(10):
                await runtime.get(EventBus).emit(Pinged(at=runtime.clock.now(), sent_at=time.time()), unit)
    async with asyncio.timeout(120):
        while log.stat().st_size < count:
            await asyncio.sleep(0.02)
    print(json.dumps(count / (time.perf_counter() - begun)))


async def _left(runtime: Runtime) -> int:
    states = await runtime.get(Jobs).states()
    unfinished = (JobStatus.QUEUED, JobStatus.RUNNING)
    return sum(state.counts.get(status, 0) for state in states for status in unfinished)


WORKS: dict[str, tuple[Callable[[Runtime, int], Awaitable[None]], bool]] = {
    "emit": (emit, True),
    "enqueue": (enqueue, False),
    "jobs": (do_jobs, True),
    "watch": (do_jobs, False),
    "webhooks": (deliver, True),
}
"""By word: what is done, and whether this process works as a server does meanwhile."""


async def main(what: str, count: int) -> None:
    """Open a runtime with the lab's feature and do one thing."""
    work, is_server = WORKS[what]
    settings = Settings()
    configure_logging(settings, sys.stderr)
    features = [*default_features(), lab_feature()]
    await migrator_of(settings, features).upgrade()
    runtime = compose(settings, features)
    async with started(runtime, runs_jobs=None if is_server else False):
        await work(runtime, count)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
