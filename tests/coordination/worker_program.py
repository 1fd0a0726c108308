"""Processes of a deployment, for test_processes.py: each answers from a cache over `facts`, and revokes.

The program itself only imports, once, and forks a process for each line of its input,
`{"url": "postgresql://…", "address": ["127.0.0.1", 1234], "fault": "", "skew": 0}`. A process connects to the
address, says its `{"pid": 99}`, then takes a JSON request a line and answers each in a task of its own until the
connection ends:
`{"id": 1, "ask": "user:1"}` -> `{"id": 1, "yes": true, "cached": true}`
or `{"id": 2, "revoke": "user:1"}` -> `{"id": 2}`
or `{"id": 3, "jump": "1200"}` (its wall clock, in seconds) -> `{"id": 3, "cpu": 0.8}` (its processor time so far).
A fault is a mistake planted so that the tests can be seen to catch it.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from portico.coordination.cache import BoundedCache
from portico.coordination.lifespan import coordination_lifespan
from portico.coordination.postgres_follower import PostgresFollower
from portico.coordination.reading import Reading, Row
from portico.coordination.revocations import RevocationLog
from portico.coordination.sqlite_follower import SqliteFollower
from portico.core.clock import SystemClock
from portico.core.crypto import RootSecret
from portico.core.settings import Environment, Settings
from portico.db.database import Database
from portico.runtime import Runtime


class WrongClock(SystemClock):
    """A clock whose wall time is wrong by `skew` seconds, and may jump."""

    def __init__(self, skew: float) -> None:
        self.skew = skew

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.skew)


class Process:
    """The cache, and the two things it is asked for."""

    def __init__(self, runtime: Runtime, answers: asyncio.StreamWriter) -> None:
        self.runtime = runtime
        self.answers = answers
        self.log = runtime.get(RevocationLog)
        self.cache: BoundedCache[str, bool] = BoundedCache(self.log, max_entries=10_000)

    async def answer(self, request: dict[str, Any]) -> None:
        if "jump" in request:
            said = self.jump(float(request["jump"]))
        else:
            said = await (self.revoke(request["revoke"]) if "revoke" in request else self.ask(request["ask"]))
        self.say(id=request["id"], **said)

    def jump(self, seconds: float) -> dict[str, Any]:
        clock = self.runtime.clock
        assert isinstance(clock, WrongClock)
        clock.skew += seconds
        return {"cpu": time.process_time()}

    def say(self, **values: Any) -> None:
        self.answers.write(json.dumps(values).encode() + b"\n")

    async def ask(self, subject: str) -> dict[str, Any]:
        known = self.cache.hit(subject)
        if known is not None:
            return {"yes": known, "cached": True}
        return {"yes": await self.cache.load(subject, lambda: self.load(subject)), "cached": False}

    async def load(self, subject: str) -> tuple[bool, Sequence[str]]:
        async with self.runtime.reads() as session:
            alive = await session.scalar(text("SELECT alive FROM facts WHERE subject = :s"), {"s": subject})
        return bool(alive), [subject]

    async def revoke(self, subject: str) -> dict[str, Any]:
        async with (unit := self.runtime.unit()):
            statement = text("UPDATE facts SET alive = false WHERE subject = :s")
            await unit.session.execute(statement, {"s": subject})
            await self.log.append(unit, [subject])
        return {}


def plant(fault: str) -> None:
    """Break the coordination in one of the ways that a test must notice."""
    if fault == "confirms before it applies":
        take = Reading.take

        def late(self: Reading, rows: Sequence[Row]) -> None:
            if rows:
                asyncio.get_running_loop().call_later(0.05, take, Reading(self._apply), rows)
                self.position = rows[-1][0]

        Reading.take = late  # type: ignore[method-assign]
    elif fault == "believes for ever":
        for follower in (PostgresFollower, SqliteFollower):
            setattr(follower, "trusted", lambda _: True)  # noqa: B010 - mypy would mind


async def main(url: str, address: tuple[str, int], fault: str, skew: float) -> None:
    plant(fault)
    settings = Settings(
        environment=Environment.TEST,
        data_dir=Path("nowhere"),
        database={"url": url, "pool_size": 3, "readers": 2},
    )
    runtime = Runtime(
        settings=settings,
        secret=RootSecret(bytes(32)),
        database=Database.from_settings(settings),
        clock=WrongClock(skew),
    )
    async with coordination_lifespan(runtime):
        await serve(runtime, *await asyncio.open_connection(*address))
    await runtime.database.close()


async def serve(runtime: Runtime, lines: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
    process = Process(runtime, answers)
    process.say(pid=os.getpid())
    async with asyncio.TaskGroup() as tasks:
        while line := await lines.readline():
            tasks.create_task(process.answer(json.loads(line)))
    answers.close()


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for order in sys.stdin:
        if os.fork() == 0:
            os.close(0)
            given = json.loads(order)
            asyncio.run(main(given["url"], tuple(given["address"]), given["fault"], given["skew"]))
            os._exit(0)
