"""Concurrent clients of several nodes that are killed and paused meanwhile, and all that they were told.

Run a history against running nodes, get its operations; `linearizability` judges them.
"""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx2

from portico.app import default_features
from portico.composition import compose, opened
from portico.core.settings import Settings
from portico.runtime import Runtime
from portico.tokens.services import OneTimeTokens
from portico.tokens.types import TokenPurpose
from tests.faults.linearizability import Model, Operation, SessionModel, TokenModel
from tests.faults.sweep import ROOT
from tests.faults.world import API, settings_given
from tests.sessions.people import PASSWORD, add_person

NODES = 2
CLIENTS = 5
PATIENCE_SECONDS = 10.0
SHORT_PAUSE, LONG_PAUSE = 0.15, 3.2
"""The longer one outlives the lease of a node's caches."""


@dataclass(slots=True)
class Nodes:
    """The nodes of a deployment, each on its port, whoever serves there at the moment."""

    factory: subprocess.Popen[bytes]
    ports: Sequence[int]
    pids: dict[int, int] = field(default_factory=dict)

    def start(self, number: int) -> None:
        """Start a node and wait until it serves."""
        assert self.factory.stdin
        assert self.factory.stdout
        self.factory.stdin.write(json.dumps({"node": number}).encode() + b"\n")
        self.factory.stdin.flush()
        self.pids[number] = int(json.loads(self.factory.stdout.readline())["pid"])

    def kill(self, number: int) -> None:
        """Let a node end at once."""
        os.kill(self.pids[number], signal.SIGKILL)

    def pause(self, number: int) -> None:
        """Let a node stand still."""
        os.kill(self.pids[number], signal.SIGSTOP)

    def resume(self, number: int) -> None:
        """Let a node go on."""
        os.kill(self.pids[number], signal.SIGCONT)


@contextmanager
def running_nodes(
    settings: dict[str, Any],
    *,
    plant: str = "",
    count: int = NODES,
    works: bool = False,
    rests: Mapping[str, float] = MappingProxyType({}),
) -> Iterator[Nodes]:
    """Run servers with these settings, or workers."""
    ports = [_free_port() for _ in range(count)]
    order = {"settings": settings, "ports": ports, "plant": plant, "works": works, "rests": dict(rests)}
    factory = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.nodes", json.dumps(order, default=str)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    try:
        assert factory.stdout
        if factory.stdout.readline() != b"ready\n":
            raise RuntimeError(f"the nodes cannot be started: {factory.wait()}")
        nodes = Nodes(factory, ports)
        for number in range(count):
            nodes.start(number)
        yield nodes
    finally:
        factory.communicate(timeout=60)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def node_settings(url: str, folder: Path, *, grace: bool) -> dict[str, Any]:
    """Return the settings that the nodes share."""
    given = settings_given(url, folder)
    given["database"] |= {"pool_size": 5, "pool_overflow": 10, "readers": 3}
    return {
        **given,
        "sessions": {"refresh_grace_seconds": 30 if grace else 0},
        "logging": {"access": False, "level": "error"},
    }


def models(*, grace: bool) -> dict[str, Model[Any]]:
    """Return what sessions and one-time tokens do when nobody else is there."""
    return {"session": SessionModel(has_grace=grace), "token": TokenModel()}


@dataclass(slots=True)
class Session:
    """What the clients know of one session: its refresh tokens by generation, and access tokens."""

    key: str
    refresh_tokens: list[str]
    access_tokens: list[str]
    is_over: bool = False


@dataclass(slots=True)
class Recorder:
    """Plays one history and writes it down."""

    runtime: Runtime
    nodes: Nodes
    clients: Sequence[httpx2.AsyncClient]
    chance: random.Random
    name: str
    operations: list[Operation] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    left: int = 0

    async def play(
        self, operations: int, *, kills: int = 1, pauses: int = 2, long_pauses: int = 0
    ) -> list[Operation]:
        """Let the clients do so many operations while nodes are killed and paused; return all of them."""
        self.left = operations
        await self._prepare(operations)
        acts = [self._kill] * kills + [self._pause] * pauses + [self._pause_long] * long_pauses
        self.chance.shuffle(acts)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._disturb(acts))
            for _ in range(CLIENTS):
                group.create_task(self._client())
        return self.operations

    @property
    def email(self) -> str:
        """Return the address of the person whose sessions these are."""
        return f"{self.name}@example.org"

    async def _prepare(self, operations: int) -> None:
        await add_person(self.runtime, self.email)
        for number in range(operations // 20):
            self.links.append((f"token {number}", await self._issued(number)))
        for _ in range(2):
            await self._sign_in()

    async def _issued(self, number: int) -> str:
        account = await add_person(self.runtime, f"{self.name}.{number}@example.org", verified=False)
        unit = self.runtime.unit()
        async with unit:
            issued = await OneTimeTokens(self.runtime, unit).issue(
                TokenPurpose.VERIFY_EMAIL,
                account.id,
                ttl=timedelta(hours=1),
                address=account.email_normal_form,
            )
        return str(issued.secret)

    async def _client(self) -> None:
        while self.left > 0:
            self.left -= 1
            await self._step()
            await asyncio.sleep(self.chance.random() * 0.004)

    async def _step(self) -> None:
        living = [session for session in self.sessions if not session.is_over]
        if len(living) < 2:
            await self._sign_in()
            return
        session = self.chance.choice(living if self.chance.random() < 0.8 else self.sessions)
        steps: Sequence[Callable[[Session], Awaitable[None]]] = (
            self._use, self._refresh, self._look_back, self._log_out, self._redeem,
        )  # fmt: skip
        await self.chance.choices(steps, (45, 30, 4, 5, 16))[0](session)

    async def _sign_in(self) -> None:
        answer = await self._posted("/auth/login", {"identifier": self.email, "password": PASSWORD})
        if answer is None or answer.status_code != 200:
            return
        told, key = answer.json(), f"session {len(self.sessions)}"
        self.sessions.append(Session(key, [told["refresh_token"]], [told["access_token"]]))

    async def _use(self, session: Session) -> None:
        token = self.chance.choice(session.access_tokens)
        called = time.monotonic()
        answer = await self._sent("GET", "/users/me", headers={"Authorization": f"Bearer {token}"})
        self._note(session.key, "use", 0, called, answer, good=200, refused=401)

    async def _refresh(self, session: Session) -> None:
        await self._present(session, len(session.refresh_tokens) - 1)

    async def _look_back(self, session: Session) -> None:
        await self._present(session, self.chance.randrange(len(session.refresh_tokens)))

    async def _present(self, session: Session, generation: int) -> None:
        called = time.monotonic()
        answer = await self._posted("/auth/refresh", {"refresh_token": session.refresh_tokens[generation]})
        told = self._note(session.key, "refresh", generation, called, answer, good=200, refused=401)
        if told and answer is not None:
            session.access_tokens.append(answer.json()["access_token"])
            if generation + 1 == len(session.refresh_tokens):
                session.refresh_tokens.append(answer.json()["refresh_token"])
        session.is_over = session.is_over or told is False

    async def _log_out(self, session: Session) -> None:
        called = time.monotonic()
        answer = await self._posted("/auth/logout", {"refresh_token": session.refresh_tokens[-1]})
        self._note(session.key, "log out", 0, called, answer, good=204, refused=-1)
        session.is_over = True

    async def _redeem(self, _: Session) -> None:
        key, secret = self.chance.choice(self.links)
        called = time.monotonic()
        answer = await self._posted("/auth/email/verify", {"token": secret})
        self._note(key, "redeem", 0, called, answer, good=200, refused=410)

    def _note(
        self,
        key: str,
        asked: str,
        argument: int,
        called: float,
        answer: httpx2.Response | None,
        *,
        good: int,
        refused: int,
    ) -> bool | None:
        status = answer.status_code if answer is not None else 599
        if status not in {good, refused} and status < 500:
            raise AssertionError(
                f"{asked} was answered {status}: {answer.text if answer is not None else ''}"
            )
        told = None if status >= 500 else status == good
        self.operations.append(Operation(key, asked, argument, told, called, time.monotonic()))
        return told

    async def _posted(self, path: str, body: dict[str, str]) -> httpx2.Response | None:
        return await self._sent("POST", path, json=body)

    async def _sent(self, method: str, path: str, **more: Any) -> httpx2.Response | None:
        """Ask one of the nodes; None if nobody knows what became of it."""
        client = self.chance.choice(self.clients)
        try:
            return await client.request(method, API + path, **more)
        except (
            httpx2.ConnectError
        ):  # nobody is there, and nothing was sent: a client would go to the other node
            await asyncio.sleep(0.01)
            return None
        except httpx2.TransportError:
            return None

    async def _disturb(self, acts: Sequence[Callable[[int], Awaitable[None]]]) -> None:
        for act in acts:
            await asyncio.sleep(self.chance.random() * 0.2)
            if self.left > 0:
                await act(self.chance.randrange(len(self.nodes.ports)))

    async def _kill(self, number: int) -> None:
        self.nodes.kill(number)
        await asyncio.to_thread(self.nodes.start, number)

    async def _pause(self, number: int, seconds: float = SHORT_PAUSE) -> None:
        self.nodes.pause(number)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.nodes.resume(number)

    async def _pause_long(self, number: int) -> None:
        await self._pause(number, LONG_PAUSE)


@asynccontextmanager
async def recorded(
    settings: dict[str, Any], nodes: Nodes, seed: int
) -> AsyncIterator[Callable[[int], Recorder]]:
    """Lend what makes the recorder of a history, by its number."""
    runtime = compose(Settings(**settings), default_features())
    async with opened(runtime, follows=False):
        clients = [_client_of(port) for port in nodes.ports]
        try:
            yield lambda number: Recorder(
                runtime, nodes, clients, random.Random(f"{seed} {number}"), f"history{seed}.{number}"
            )
        finally:
            for client in clients:
                with suppress(RuntimeError):
                    await client.aclose()


def _client_of(port: int) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers={"Host": "localhost:8000"}, timeout=PATIENCE_SECONDS
    )
