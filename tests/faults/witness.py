"""The features of the deployment under test, and one more that hears every event and writes down what it heard.

It has an effect of each kind: a line in a file, which is there as often as the handler came so far; a row written with
the end of the job, and a row written with the fan-out, which are there once.
"""

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from portico.app import default_features
from portico.audit.services import record
from portico.db.unit import Unit
from portico.feature import Feature
from portico.messaging import Event, JobRun, OutboxEvent, Schedule, after, job
from portico.runtime import Runtime

HEARD = "heard.log"
BY_JOB = "witness.heard"
BY_TAP = "witness.tapped"
BY_CLOCK = "witness.ticked"
CARELESS = "witness.careless"
TICK = timedelta(hours=1)


def features_of_story(data: Path) -> Sequence[Feature]:
    """Return all of Portico's features and the witness, who writes below `data`."""
    features = default_features()
    ours = [kind for kind in Event.registry.values() if kind.__module__.startswith("portico.")]
    events = [kind for kind in ours if not kind.is_internal]

    async def hear(event: Event, run: JobRun) -> None:
        _append(data / HEARD, str(event.id))
        async with run.unit() as unit:
            record(run.runtime, unit, BY_JOB, details={"event": str(event.id)})

    subscribers = [after(kind, f"witness.{kind.name}", hear) for kind in events]
    witness = Feature(
        name="witness", subscribers=subscribers, taps=[tap], jobs=[careless], schedules=[HOURLY]
    )
    return [*features, witness]


def heard(data: Path) -> list[str]:
    """Return the ids of the events that the file tells of, each as often as it was heard."""
    path = data / HEARD
    return path.read_text().split() if path.exists() else []


async def tap(events: Sequence[OutboxEvent], unit: Unit, runtime: Runtime) -> None:
    """Note what was fanned out."""
    for event in events:
        record(runtime, unit, BY_TAP, details={"event": str(event.id)})


@job("witness.tick")
async def note_tick(run: JobRun) -> None:
    """Note that the clock came round."""
    async with run.unit() as unit:
        record(run.runtime, unit, BY_CLOCK)


@job("witness.careless")
async def careless(run: JobRun) -> None:
    """Write in a transaction of one's own, and leave it to the runner to say that all is done: planted."""
    async with run.runtime.unit() as unit:
        record(run.runtime, unit, CARELESS)


HOURLY = Schedule(note_tick, every=TICK)


def _append(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)
