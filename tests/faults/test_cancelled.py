"""P36: a client that goes away, or a deadline that passes, leaves no connection, no task and nothing half done."""

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.pool import QueuePool

from portico.core import failpoints
from portico.core.ids import PrincipalId, UserId
from portico.credentials.services.guessing import Guessing
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.faults.histories import node_settings, running_nodes
from tests.faults.invariants import people_are_whole, sessions_are_whole, tokens_have_owners
from tests.faults.points import EveryFailpoint, around_answer, watch_statements
from tests.faults.world import NEW_PASSWORD, PUBLIC_URL, World
from tests.sessions.people import FAST_HASHES, PASSWORD

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

SCALE = int(os.environ.get("PORTICO_TEST_SCALE", "1"))
EVERY = max(1, 3 // SCALE)
"""Of so many points one is tried in the quick run."""
DISCONNECTS = 150 * SCALE

type Act = Callable[[World], Awaitable[Any]]


class Cancelling:
    """Counts the points that a request passes, and cancels it at one of them."""

    def __init__(self) -> None:
        self.victim: asyncio.Task[Any] | None = None
        self.at = 0
        self.passed = 0

    def __call__(self, _: str) -> None:
        if self.victim is None:
            return
        self.passed += 1
        if self.passed == self.at:
            loop = self.victim.get_loop()
            loop.call_soon_threadsafe(self.victim.cancel)

    async def run(self, act: Awaitable[Any], at: int) -> int:
        """Run one request and cancel it at its point number `at`; return how many points it passed."""
        self.victim, self.at, self.passed = asyncio.ensure_future(act), at, 0
        await asyncio.wait([self.victim])
        self.victim = None
        return self.passed


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": FAST_HASHES, "logging": {"access": False, "level": "error"}}


@pytest.fixture
def cancelling(runtime: Runtime) -> Iterator[Cancelling]:
    """Make every point of this runtime one at which a request can be cancelled."""
    points = Cancelling()
    watch_statements(points, runtime.database)
    armed, failpoints.armed = failpoints.armed, EveryFailpoint(points)
    yield points
    failpoints.armed = armed


@pytest.fixture
async def world(
    app: FastAPI, runtime: Runtime, clock: FrozenClock, cancelling: Cancelling, tmp_path: Path
) -> AsyncIterator[World]:
    transport = httpx2.ASGITransport(app=around_answer(cancelling, app), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as client:
        yield World(runtime, app, clock, tmp_path, {}, lambda _: None, client)


async def register(world: World) -> Any:
    number = world.scene["number"] = world.scene.get("number", 0) + 1
    wish = {"email": f"eve{number}@example.org", "password": PASSWORD}
    return await world.ask(
        "register",
        "POST",
        "/auth/register",
        json=wish,
        headers={"Idempotency-Key": f"the key {number} of eve"},
    )


async def sign_in(world: World) -> Any:
    proof = {"identifier": "ada@example.org", "password": PASSWORD}
    return await world.ask("sign in", "POST", "/auth/login", json=proof)


async def refresh(world: World) -> Any:
    token = world.person()["refresh_token"]
    return await world.ask("refresh", "POST", "/auth/refresh", json={"refresh_token": token})


async def change_password(world: World) -> Any:
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    token = world.person()["access_token"]
    return await world.ask("change", "POST", "/auth/password/change", token=token, json=change)


@pytest.mark.bar("P36", "P3")
@pytest.mark.parametrize("act", [register, sign_in, refresh, change_password])
async def test_a_request_cancelled_anywhere_leaves_nothing(
    world: World, cancelling: Cancelling, act: Act
) -> None:
    await world.enroll("ada")
    points, before = await cancelling.run(act(world), at=0), asyncio.all_tasks()
    for at in range(1, points + 1, EVERY):
        await cancelling.run(act(world), at)
        await _rested(world.runtime)
        await _forgiven(world)

        assert asyncio.all_tasks() <= before | _workers()
    assert points > 5
    for check in (people_are_whole, sessions_are_whole, tokens_have_owners):
        assert [fault async for fault in check(world)] == []
    assert (await sign_in(world)).status_code in {200, 401}


async def _forgiven(world: World) -> None:
    """Forget the guesses: a sign-in that is broken off counts as one, and in the end others have to wait."""
    async with (unit := world.runtime.unit()):
        await Guessing(world.runtime).reset(UserId(PrincipalId(UUID(world.person()["id"]))), unit)


def _workers() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if task.get_name().startswith(("periodic:", "revocations"))}


async def _rested(runtime: Runtime) -> None:
    """Wait until no connection is in use; the thread of SQLite may still be at the cancelled statement."""
    async with asyncio.timeout(2):
        while _in_use(runtime):  # noqa: ASYNC110 - a pool has nothing to wait on
            await asyncio.sleep(0.001)


def _in_use(runtime: Runtime) -> int:
    pools = (engine.pool for engine in (runtime.database.reader, runtime.database.writer))
    return sum(pool.checkedout() for pool in pools if isinstance(pool, QueuePool))


@pytest.mark.bar("P36")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_connections_cut_at_any_byte_leave_none_open(database_url: str, folder: Path) -> None:
    chance = random.Random(20261120)
    body = b'{"identifier": "nobody@example.org", "password": "not his password"}'
    request = (
        b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost:8000\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    with running_nodes(node_settings(database_url, folder, grace=True), count=1) as nodes:
        for _ in range(3):
            await asyncio.to_thread(_cut, nodes.ports[0], request, len(request), 1.0)
        before = _open_files(nodes.pids[0])
        for _ in range(DISCONNECTS):
            size = chance.randrange(len(request) + 1)
            await asyncio.to_thread(_cut, nodes.ports[0], request, size, chance.random() * 0.02)
        await asyncio.sleep(0.5)
        after = _open_files(nodes.pids[0])

    assert after <= before


def _open_files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _cut(port: int, request: bytes, size: int, wait: float) -> None:
    """Send the beginning of a request, wait a little, and reset the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request[:size])
        connection.settimeout(max(wait, 0.001))
        with suppress(TimeoutError):
            connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
