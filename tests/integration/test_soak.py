"""A day in a server's life, in short: mixed load while connections break and listeners die (P38).

Memory must level off, files and connections must not pile up, and when the load ends nothing is left to do.
`PORTICO_TEST_SCALE=3600` makes it eight hours; `PORTICO_TEST_SEED` plays another day.
"""

import asyncio
import contextlib
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from portico.testing import services
from portico.testing.live import LiveServer, live_server
from tests.integration.ground import API, SCALE
from tests.sessions.people import PASSWORD

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60 + 40 * SCALE)]

WARM_UP_SECONDS = 4.0
SOAK_SECONDS = 8.0 * SCALE
CLIENTS = 6
SEED = int(os.environ.get("PORTICO_TEST_SEED", "38"))
EXPECTED = {200, 201, 202, 204, 503}
NUMBERS = count(1)


async def live_a_life(client: httpx2.AsyncClient, chance: random.Random, seen: Counter[int]) -> None:
    """Sign up, sign in, look around, refresh, change the password or not, sign out."""
    email = f"person{next(NUMBERS)}@example.com"

    async def ask(method: str, path: str, token: str = "", **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = await client.request(method, f"{API}{path}", json=body or None, headers=headers)
        seen[answer.status_code] += 1
        return answer.json() if answer.status_code in {200, 201} else None

    if await ask("POST", "/auth/register", email=email, password=PASSWORD) is None:
        return
    tokens = await ask("POST", "/auth/login", identifier=email, password=PASSWORD)
    for _ in range(chance.randrange(8)):
        if tokens is None:
            return
        await ask("GET", "/users/me", tokens["access_token"])
        if chance.random() < 0.5:
            tokens = await ask("POST", "/auth/refresh", refresh_token=tokens["refresh_token"])
    if tokens is not None:
        await ask("POST", "/auth/logout", refresh_token=tokens["refresh_token"])


@contextlib.asynccontextmanager
async def under_load(url: str, seen: Counter[int]) -> AsyncIterator[None]:
    """Let clients live their lives meanwhile."""
    over = asyncio.Event()

    async def live_on(number: int) -> None:
        chance = random.Random(SEED * 1000 + number)
        async with httpx2.AsyncClient(base_url=url, timeout=30) as client:
            while not over.is_set():
                await live_a_life(client, chance, seen)

    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(live_on(number))
        try:
            yield
        finally:
            over.set()


async def break_connections(database_url: str, chance: random.Random) -> None:
    """Cut connections of the server to PostgreSQL now and then, its listener's among them."""
    connection = await asyncpg.connect(database_url)
    try:
        while True:
            await asyncio.sleep(chance.uniform(0.5, 2.0))
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() ORDER BY random() LIMIT 2"
            )
    finally:
        await connection.close()


def rss_megabytes(server: LiveServer) -> float:
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def open_files(server: LiveServer) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


async def work_left(server: LiveServer, environment: dict[str, str]) -> dict[str, int]:
    """Return what waits to be done, as `portico jobs` and `portico outbox` say."""
    from portico.app import default_features
    from portico.composition import compose, opened
    from portico.core.settings import Settings
    from portico.messaging import Jobs, JobStatus

    url = environment.get("PORTICO_DATABASE__URL") or f"sqlite:///{server.folder}/portico-data/portico.db"
    settings = Settings(environment="test", data_dir=server.folder / "portico-data", database={"url": url})
    async with opened(compose(settings, default_features()), follows=False) as runtime:
        jobs = runtime.get(Jobs)
        states = await jobs.states()
        outbox = await jobs.outbox_state()
    return {
        "queued": sum(state.counts.get(JobStatus.QUEUED, 0) for state in states),
        "running": sum(state.counts.get(JobStatus.RUNNING, 0) for state in states),
        "dead": sum(state.counts.get(JobStatus.DEAD, 0) for state in states),
        "events": outbox.waiting,
    }


@pytest.mark.bar("P38")
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
async def test_long_life_leaves_nothing_behind(tmp_path: Path, database_kind: str) -> None:
    environment = {
        "PORTICO_RATE_LIMIT__ENABLED": "false",
        "PORTICO_CREDENTIALS__ARGON2_MEMORY_KIB": "8192",
        "PORTICO_LOGGING__ACCESS": "false",
    }
    if database_kind == "postgresql":
        environment["PORTICO_DATABASE__URL"] = services.create_database(f"soak_{os.getpid()}")
    seen: Counter[int] = Counter()
    with live_server(tmp_path, environment) as server:
        async with under_load(server.url, seen):
            await asyncio.sleep(WARM_UP_SECONDS)
            at_first = rss_megabytes(server), open_files(server)
            nemesis = None
            if database_kind == "postgresql":
                trouble = break_connections(environment["PORTICO_DATABASE__URL"], random.Random(SEED))
                nemesis = asyncio.create_task(trouble)
            await asyncio.sleep(SOAK_SECONDS)
            if nemesis is not None:
                nemesis.cancel()
                await asyncio.gather(nemesis, return_exceptions=True)
            at_last = rss_megabytes(server), open_files(server)
        async with asyncio.timeout(30):
            while any((left := await work_left(server, environment)).values()):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.5)

    assert set(seen) <= EXPECTED, seen
    assert sum(seen.values()) > 100
    assert seen[503] < sum(seen.values()) / 4
    assert at_last[0] - at_first[0] < 25, (at_first, at_last)
    assert at_last[1] - at_first[1] < 20, (at_first, at_last)
    assert left == {"queued": 0, "running": 0, "dead": 0, "events": 0}
