"""Several real processes on one database: what was revoked when the revoking request is answered is refused everywhere.

`PORTICO_TEST_SECONDS` lengthens the rounds for the full run (RELIABILITY_BAR P6, P34).
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO, Any

import asyncpg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from portico.db.migrator import Migrator
from portico.testing.services import Postgres

pytestmark = [pytest.mark.anyio, pytest.mark.bar("P6", "P34", "CHECK-3", "ASVS-7.4.1", "ASVS-8.3.2")]

PROGRAM = Path(__file__).with_name("worker_program.py")
SECONDS = float(os.environ.get("PORTICO_TEST_SECONDS", "3"))
FACTS = 1_000
CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'portico listener' AND datname = current_database()
"""

only_postgres = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)


class Worker:
    """One process: `ask` whether a subject is alive, `revoke` it."""

    def __init__(self, answers: asyncio.StreamReader, requests: asyncio.StreamWriter, pid: int) -> None:
        self.pid = pid
        self._answers, self._requests = answers, requests
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._hearing = asyncio.create_task(self._hear())

    async def _hear(self) -> None:
        while line := await self._answers.readline():
            answer = json.loads(line)
            waiting = self._waiting.pop(answer["id"])
            if not waiting.cancelled():
                waiting.set_result(answer)
        for waiting in self._waiting.values():
            waiting.cancel()  # nobody will answer any more

    def send(self, verb: str, subject: str) -> asyncio.Future[dict[str, Any]]:
        number = next(self._numbers)
        self._requests.write(json.dumps({"id": number, verb: subject}).encode() + b"\n")
        self._waiting[number] = asyncio.get_running_loop().create_future()
        return self._waiting[number]

    async def ask(self, subject: str) -> dict[str, Any]:
        return await self.send("ask", subject)

    async def revoke(self, subject: str) -> float:
        started = time.perf_counter()
        await self.send("revoke", subject)
        return time.perf_counter() - started

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def stop(self) -> None:
        with suppress(OSError):
            self._requests.write_eof()
        try:
            await asyncio.wait_for(self._hearing, 10)
        except TimeoutError:
            self.signal(signal.SIGKILL)
        self._requests.close()


type Starts = Callable[..., AbstractAsyncContextManager[list[Worker]]]


@pytest.fixture(scope="module")
def forge() -> Iterator[IO[str]]:
    """Start the program that forks processes; an order is a line."""
    with subprocess.Popen([sys.executable, str(PROGRAM)], stdin=subprocess.PIPE, text=True) as program:
        assert program.stdin is not None
        yield program.stdin


@pytest.fixture
async def facts(empty_database: str) -> str:
    """Return the URL of a database in which `user:0` to `user:999` are alive."""
    return await with_facts(empty_database)


async def with_facts(database: str) -> str:
    """Write the facts and return the URL."""
    url = make_url(database)
    driver = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}[url.get_backend_name()]
    engine = create_async_engine(url.set(drivername=driver))
    async with engine.begin() as connection:
        await connection.execute(
            text("CREATE TABLE facts (subject VARCHAR(40) PRIMARY KEY, alive BOOLEAN NOT NULL)")
        )
        rows = [{"s": f"user:{number}"} for number in range(FACTS)]
        await connection.execute(text("INSERT INTO facts VALUES (:s, true)"), rows)
    await engine.dispose()
    return database


@pytest.fixture
def workers(facts: str, forge: IO[str]) -> Starts:
    @asynccontextmanager
    async def starts(
        number: int, *, fault: str = "", skew: float = 0, database: str = facts
    ) -> AsyncIterator[list[Worker]]:
        arrivals: asyncio.Queue[Worker] = asyncio.Queue()

        async def welcome(answers: asyncio.StreamReader, requests: asyncio.StreamWriter) -> None:
            arrivals.put_nowait(Worker(answers, requests, json.loads(await answers.readline())["pid"]))

        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(await asyncio.start_server(welcome, "127.0.0.1"))
            for _ in range(number):
                address = server.sockets[0].getsockname()
                order = {"url": database, "address": address, "fault": fault, "skew": skew}
                forge.write(json.dumps(order) + "\n")
            forge.flush()
            started = [await asyncio.wait_for(arrivals.get(), 30) for _ in range(number)]
            for worker in started:
                stack.push_async_callback(worker.stop)
            yield started

    return starts


async def is_cached_everywhere(workers: list[Worker], subject: str) -> bool:
    await asyncio.gather(*(worker.ask(subject) for worker in workers))
    answers = await asyncio.gather(*(worker.ask(subject) for worker in workers))
    return all(answer["yes"] and answer["cached"] for answer in answers)


async def stale_answers(workers: list[Worker], revoker: Worker, subject: str) -> int:
    """Revoke while everybody keeps asking; return how many still say yes to a question put after the answer."""
    asking = [asyncio.create_task(keep_asking(worker, subject)) for worker in workers]
    await revoker.revoke(subject)
    answers = await asyncio.gather(*(worker.ask(subject) for worker in workers))
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    later = await asyncio.gather(*(worker.ask(subject) for worker in workers))
    return sum(answer["yes"] for answer in [*answers, *later])


async def keep_asking(worker: Worker, subject: str) -> None:
    """Keep loads under way, so that one may be caught between its read and the cache."""
    while True:
        await worker.ask(subject)


@pytest.mark.bar("GHSA-x883-2vmg-xwf7")
async def test_revoked_is_refused_by_every_process_when_it_is_said(workers: Starts) -> None:
    async with workers(3) as processes:
        rounds = cached = stale = 0
        deadline = time.monotonic() + SECONDS
        while rounds < FACTS and time.monotonic() < deadline:
            subject = f"user:{rounds}"
            cached += await is_cached_everywhere(processes, subject)
            stale += await stale_answers(processes, processes[rounds % 3], subject)
            rounds += 1

        assert rounds >= 10
        assert (
            cached >= rounds * 0.9
        )  # else the caches were not tried; a beat may come late on a busy machine
        assert stale == 0


@only_postgres
async def test_worker_that_was_frozen_does_not_answer_from_its_stale_cache(
    workers: Starts, facts: str
) -> None:
    async with workers(2) as (first, frozen):
        assert await is_cached_everywhere([first, frozen], "user:1")
        frozen.signal(signal.SIGSTOP)
        seconds = await first.revoke("user:1")
        question = frozen.send("ask", "user:1")
        await asyncio.sleep(max(0.0, 4 - seconds))
        async with log_unreadable(facts):
            frozen.signal(signal.SIGCONT)

            assert not (await question)["yes"]
        assert 1 < seconds < 4  # until its lease had run out, and no longer
        assert await first.revoke("user:2") < 1  # it is back, or dead: nobody waits for it for long


@asynccontextmanager
async def log_unreadable(database: str) -> AsyncIterator[None]:
    """Let nobody read the log inside the block: whoever wakes up must not be quicker than the question."""
    connection = await asyncpg.connect(database)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE portico_revocations IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


@only_postgres
async def test_worker_that_cannot_hear_does_not_answer_from_its_stale_cache(
    workers: Starts, facts: str
) -> None:
    connection = await asyncpg.connect(facts)
    async with workers(2) as processes:
        assert await is_cached_everywhere(processes, "user:1")
        cutting = asyncio.create_task(keep_cutting(connection))
        seconds = await processes[0].revoke("user:1")
        answers = await asyncio.gather(*(worker.ask("user:1") for worker in processes))
        cutting.cancel()
        await asyncio.gather(cutting, return_exceptions=True)

        assert not any(answer["yes"] for answer in answers)
        assert seconds < 4
    await connection.close()


async def keep_cutting(connection: Any) -> None:
    while True:
        await connection.execute(CUT)


@only_postgres
async def test_revocation_waits_for_no_notify(workers: Starts) -> None:
    """A commit that waits for its standby holds the one lock that every NOTIFY of the server needs."""
    given = {"synchronous_standby_names": "nobody", "synchronous_commit": "local"}
    with Postgres(settings=given) as server:
        await Migrator(make_url(server.url).set(drivername="postgresql+asyncpg")).upgrade()
        url = await with_facts(server.url)
        async with workers(2, database=url) as processes:
            assert await is_cached_everywhere(processes, "user:1")
            blocker = await asyncpg.connect(url)
            await blocker.execute(
                "SET synchronous_commit = on; BEGIN; NOTIFY portico; INSERT INTO facts VALUES ('else', true)"
            )
            waiting = asyncio.create_task(blocker.execute("COMMIT"))
            await asyncio.sleep(0.1)
            seconds = await processes[0].revoke("user:1")
            answers = await asyncio.gather(*(worker.ask("user:1") for worker in processes))
            was_blocked = not waiting.done()
            blocker.terminate()
            await asyncio.gather(waiting, return_exceptions=True)

    assert was_blocked
    assert not any(answer["yes"] for answer in answers)
    assert seconds < 4


@pytest.mark.bar("P21")
async def test_processes_with_skewed_clocks_refuse_what_was_revoked(workers: Starts) -> None:
    async with workers(1, skew=-90) as (slow,), workers(1, skew=90) as (fast,):
        stale = cached = 0
        for number in range(10):
            subject, revoker = f"user:{number}", [slow, fast][number % 2]
            cached += await is_cached_everywhere([slow, fast], subject)
            stale += await stale_answers([slow, fast], revoker, subject)

    assert cached >= 8
    assert stale == 0


@pytest.mark.bar("P22")
@pytest.mark.parametrize("seconds", [1_200, -1_200, 31_557_600], ids=["+20 min", "-20 min", "+1 year"])
async def test_process_whose_clock_jumps_goes_on_and_does_not_spin(workers: Starts, seconds: int) -> None:
    async with workers(2) as (jumper, other):
        assert await is_cached_everywhere([jumper, other], "user:1")
        before = (await jumper.send("jump", str(seconds)))["cpu"]
        stale = await stale_answers([jumper, other], other, "user:1")
        asked = (await jumper.send("jump", "0"))["cpu"]
        await asyncio.sleep(1)
        idle = (await jumper.send("jump", "0"))["cpu"] - asked
        later = await is_cached_everywhere([jumper, other], "user:2")

    assert before > 0
    assert (stale, later) == (0, True)
    assert idle < 0.3


@only_postgres
async def test_killed_worker_is_waited_for_no_longer_than_its_lease(workers: Starts) -> None:
    async with workers(2) as (first, killed):
        killed.signal(signal.SIGKILL)
        seconds = await first.revoke("user:1")

        assert seconds < 4
        assert await first.revoke("user:2") < 1


@pytest.mark.parametrize(
    ("database_kind", "fault"),
    [("postgresql", "confirms before it applies"), ("sqlite", "believes for ever")],
    indirect=["database_kind"],
)
async def test_process_that_hears_too_late_would_be_caught(workers: Starts, fault: str) -> None:
    async with workers(2) as sound, workers(1, fault=fault) as broken:
        stale = 0
        for number in range(5):
            await is_cached_everywhere([*sound, *broken], f"user:{number}")
            stale += await stale_answers(broken, sound[0], f"user:{number}")

        assert stale > 0


@only_postgres
async def test_frozen_process_that_believes_for_ever_would_be_caught(workers: Starts, facts: str) -> None:
    async with workers(1) as (first,), workers(1, fault="believes for ever") as (frozen,):
        assert await is_cached_everywhere([first, frozen], "user:1")
        frozen.signal(signal.SIGSTOP)
        await first.revoke("user:1")
        question = frozen.send("ask", "user:1")
        async with log_unreadable(facts):
            frozen.signal(signal.SIGCONT)

            assert (await question)["yes"]
