"""A team's feature whose jobs leave traces: a table with one row for each effect."""

import asyncio
import os
import signal
from datetime import timedelta

from sqlalchemy import Column, MetaData, String, Table, insert

from portico.feature import Feature
from portico.messaging import JobRun, job

traces = Table("pantry_traces", MetaData(), Column("job", String(36)), Column("word", String(40)))
"""Without a key: a job that is done twice is seen twice."""


@job("pantry.note", queue="pantry")
async def note(run: JobRun, *, word: str) -> None:
    """Leave a trace in the transaction that ends the run."""
    async with run.unit() as unit:
        await unit.session.execute(insert(traces).values(job=str(run.id), word=word))


@job("pantry.nap", queue="pantry", time_limit=timedelta(minutes=1))
async def nap(run: JobRun, *, seconds: float) -> None:
    """Leave a trace at once, sleep, leave another."""
    await _trace(run, f"began {run.attempt}")
    await asyncio.sleep(seconds)
    async with run.unit() as unit:
        await unit.session.execute(insert(traces).values(job=str(run.id), word="woke"))


@job("pantry.die_once", queue="pantry")
async def die_once(run: JobRun) -> None:
    """Kill the process in the first attempt, as the kernel does when memory runs out."""
    await _trace(run, f"began {run.attempt}")
    if run.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    async with run.unit() as unit:
        await unit.session.execute(insert(traces).values(job=str(run.id), word="done"))


async def _trace(run: JobRun, word: str) -> None:
    async with run.runtime.unit() as unit:
        await unit.session.execute(insert(traces).values(job=str(run.id), word=word))


pantry = Feature(name="pantry", jobs=[note, nap, die_once])
