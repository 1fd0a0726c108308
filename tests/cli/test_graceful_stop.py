"""How `portico serve` ends: requests and jobs under way end well, newcomers are told, nobody is cut off."""

import asyncio
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from portico.testing.live import LiveServer, live_server

pytestmark = [pytest.mark.anyio, pytest.mark.bar("P28")]

ROOT = Path(__file__).resolve().parents[2]
SLOW = "/api/v1/slow"
RACERS = 100


@contextmanager
def serving(folder: Path, *, workers: int = 1, drain: float = 0, **settings: str) -> Iterator[LiveServer]:
    environment: Mapping[str, str] = {
        "PYTHONPATH": str(ROOT),
        "PORTICO_FEATURES": '["tests.cli.slow:feature"]',
        "PORTICO_RATE_LIMIT__ENABLED": "false",
        "PORTICO_HTTP__DRAIN": f"{drain}s",
        **{f"PORTICO_{name}": value for name, value in settings.items()},
    }
    with live_server(folder, environment, ["--workers", str(workers)]) as server:
        yield server


def client_of(server: LiveServer) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=RACERS, max_keepalive_connections=RACERS)
    return httpx2.AsyncClient(base_url=server.url, timeout=30, limits=limits)


@pytest.mark.parametrize(("database_kind", "workers"), [("sqlite", 1), ("postgresql", 2)])
async def test_requests_under_way_are_answered(tmp_path: Path, empty_database: str, workers: int) -> None:
    with serving(tmp_path, workers=workers, DATABASE__URL=empty_database) as server:
        async with client_of(server) as client:
            asking = [asyncio.create_task(client.get(f"{SLOW}?seconds=3")) for _ in range(RACERS)]
            await asyncio.sleep(1)
            started = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            answers = await asyncio.gather(*asking)
            status = await asyncio.to_thread(server.process.wait, 30)
            seconds = time.monotonic() - started

        assert Counter(answer.status_code for answer in answers) == {200: RACERS}
        assert {answer.headers["connection"] for answer in answers} == {"close"}
        assert (status, "Traceback" in server.output) == (0, False), server.output[-2000:]
        assert seconds < 15


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_node_that_drains_is_not_ready_and_serves_on(tmp_path: Path, empty_database: str) -> None:
    with serving(tmp_path, drain=1.5, DATABASE__URL=empty_database) as server:
        async with client_of(server) as client:
            before = await client.get("/health/ready")
            server.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
            ready, health, page = [await client.get(path) for path in ("/health/ready", "/health", SLOW)]
            status = await asyncio.to_thread(server.process.wait, 10)
            with pytest.raises(httpx2.ConnectError):
                await client.get("/health")

        assert (before.status_code, before.headers.get("connection")) == (200, None)
        assert [answer.status_code for answer in (ready, health, page)] == [503, 200, 200]
        assert ready.headers["retry-after"]
        assert {answer.headers["connection"] for answer in (ready, health, page)} == {"close"}
        assert status == 0


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_interrupt_drains_nothing(tmp_path: Path, empty_database: str) -> None:
    with serving(tmp_path, drain=20, DATABASE__URL=empty_database) as server:
        started = time.monotonic()
        status = await asyncio.to_thread(server.stop, signal.SIGINT)

    assert (status, time.monotonic() - started < 10) == (0, True)


@pytest.mark.parametrize(("database_kind", "workers"), [("sqlite", 1), ("postgresql", 2)])
async def test_newcomers_are_answered_or_refused_and_never_cut_off(
    tmp_path: Path, empty_database: str, workers: int
) -> None:
    outcomes: Counter[str] = Counter()
    with serving(tmp_path, workers=workers, drain=0.3, DATABASE__URL=empty_database) as server:
        knocking = [asyncio.create_task(knocks(server.url, outcomes)) for _ in range(30)]
        await asyncio.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(server.process.wait, 20)
        async with asyncio.timeout(20):
            await asyncio.gather(*knocking)

    assert outcomes.keys() == {"answered", "refused"}, outcomes
    assert outcomes["answered"] > 100


async def knocks(url: str, outcomes: Counter[str]) -> None:
    """Ask over a new connection each time, until there is nobody any more."""
    host, port = url.removeprefix("http://").split(":")
    while not outcomes["refused"]:
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1" if host == "localhost" else host, int(port)
            )
        except ConnectionRefusedError:
            outcomes["refused"] += 1
            return
        outcomes[await ask(reader, writer)] += 1


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    try:
        writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
    except OSError as error:
        return type(error).__name__
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    return "answered" if answer.startswith(b"HTTP/1.1 200") else f"cut off after {len(answer)} bytes"


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_who_has_just_come_may_still_ask(tmp_path: Path, empty_database: str) -> None:
    with serving(tmp_path, DATABASE__URL=empty_database) as server:
        host, port = server.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(
            "127.0.0.1" if host == "localhost" else host, int(port)
        )
        await asyncio.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.5)

        assert await ask(reader, writer) == "answered"


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_jobs_under_way_end_and_waiting_ones_stay(tmp_path: Path, empty_database: str) -> None:
    with serving(tmp_path, DATABASE__URL=empty_database) as server:
        async with client_of(server) as client:
            for _ in range(3):
                assert (await client.post(f"{SLOW}?seconds=1.5")).status_code == 200
        await asyncio.sleep(0.5)
        status = await asyncio.to_thread(server.stop)

    found = jobs_in(empty_database)
    assert status == 0
    assert set(found) <= {"done", "queued"}
    assert found["done"] >= 1
    assert found.total() == 3


def jobs_in(url: str) -> Counter[Any]:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        rows = connection.execute("SELECT status FROM portico_jobs WHERE name = 'slow.work'").fetchall()
    connection.close()
    return Counter(status for (status,) in rows)
