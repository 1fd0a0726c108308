"""The warm process that each kill is forked from: `python -m tests.faults.zygote <order>`.

It has imported everything and played every story once, so that a child needs milliseconds and not seconds. It reads
what to play from its standard input, a line of JSON each, and answers with a line. A point costs two children: the
one that dies, and the one that comes after it and looks.
"""

import asyncio
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import jinja2
from fastapi import FastAPI
from jinja2.bccache import Bucket, BytecodeCache

from portico.app import assemble
from portico.composition import compose, opened
from portico.core.logging import configure_logging
from portico.core.settings import Settings
from portico.testing.clock import FrozenClock
from tests.faults.invariants import duplicates, violations
from tests.faults.points import KillPoints, around_answer, install
from tests.faults.stage import Stage
from tests.faults.stories import Story
from tests.faults.witness import features_of_story
from tests.faults.world import PUBLIC_URL, History, Tell, World, line_of, settings_given

EMPTY = "empty"
PATIENCE_SECONDS = 40.0
WAITS = 3
"""How often time passes for what was put off; in sum less than the life of an access token."""
type Lines = list[dict[str, Any]]


class KeptTemplates(BytecodeCache):
    """Keeps what Jinja has compiled: every child has an environment of its own, and would compile its mails again."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what was kept."""
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it."""
        self._kept[bucket.key] = bucket.bytecode_to_string()


def keep_templates() -> None:
    """Give every Jinja environment of this process and its children the same cache."""
    made, kept = jinja2.Environment.__init__, KeptTemplates()

    def with_cache(self: jinja2.Environment, *arguments: Any, **named: Any) -> None:
        made(self, *arguments, **named)
        self.bytecode_cache = kept

    patched: Any = jinja2.Environment
    patched.__init__ = with_cache


class Zygote:
    """Plays stories on one deployment, each time in children of its own."""

    def __init__(self, order: dict[str, Any]) -> None:
        module = importlib.import_module(order["stories"])
        self._stories: dict[str, type[Story]] = {story.name: story for story in module.STORIES}
        self._stage = Stage(order["url"], Path(order["folder"]))
        self._clock = FrozenClock()
        self._hook_url = order.get("hook_url") or ""
        given = settings_given(order["url"], self._stage.folder, order.get("mail_url"))
        settings = Settings(**given)
        configure_logging(settings)
        self._runtime = compose(settings, features_of_story(self._stage.data), clock=self._clock)
        self._scenes: dict[str, dict[str, Any]] = {}
        self._seconds: dict[str, float] = {}
        self._app = assemble(self._runtime)

    def warm_up(self, names: list[str]) -> None:
        """Play the stories once in this very process, for what it leaves in the caches of imports and statements."""
        self._stage.data.mkdir(parents=True, exist_ok=True)
        asyncio.run(self._stage.keep(EMPTY))
        for name in names:
            asyncio.run(self._rehearse(self._stories[name]()))
        self._app = assemble(self._runtime)  # the other one has met this process's caches
        gc.collect()
        gc.freeze()

    async def _rehearse(self, story: Story) -> None:
        await self._stage.put_back(EMPTY)
        async with self._world({}, print_nothing, self._app) as world:
            await story.prepare(world)
            world.tell = world.history.note
            await story.act(world)
            await story.retry(world)
            [_ async for _ in story.check(world)]
            await violations(world)
        self._clock.__init__()  # type: ignore[misc]  # the next one begins at the same moment

    def play(self, request: dict[str, Any]) -> dict[str, Any]:
        """Play one story; die at the point `point` or after the part `moment` of its time, or not at all."""
        name = request["story"]
        self._prepare(name)
        began = time.perf_counter()
        lines, status = _forked(lambda tell: self._act(name, request, tell))
        outcome = self._told(lines, status)
        if "passed" in outcome:
            self._seconds.setdefault(name, outcome["seconds"])
        found, _ = _forked(lambda tell: self._look(name, lines, tell))
        faults = [line["fault"] for line in lines + found if "fault" in line]
        if not any("looked" in line for line in found):
            faults.append("the process that came after did not come to an end")
        twice = sum(line.get("duplicates", 0) for line in found)
        took = time.perf_counter() - began
        return {**request, **outcome, "faults": faults, "duplicates": twice, "took": took}

    def _told(self, lines: Lines, status: int) -> dict[str, Any]:
        outcome: dict[str, Any] = {}
        for line in lines:
            outcome |= {key: line[key] for key in ("name", "passed", "seconds") if key in line}
        if status == PATIENCE:
            lines.append({"fault": "the story hangs"})
        died = os.WIFSIGNALED(status)
        return {
            **outcome,
            "died": died,
            "answered": [line["answered"] for line in lines if "answered" in line],
        }

    def _prepare(self, name: str) -> None:
        if name in self._scenes:
            return
        lines, _ = _forked(lambda tell: self._set(self._stories[name](), tell))
        scenes = [line["scene"] for line in lines if "scene" in line]
        if not scenes:
            raise RuntimeError(f"the story {name} cannot be prepared: {lines}")
        self._scenes[name] = scenes[0]

    async def _set(self, story: Story, tell: Tell) -> None:
        await self._stage.put_back(EMPTY)
        async with self._world({}, print_nothing, self._app) as world:
            await story.prepare(world)
            scene = world.scene
        await self._stage.keep(story.name)
        tell({"scene": scene})

    async def _act(self, name: str, request: dict[str, Any], tell: Tell) -> None:
        story = self._stories[name]()
        await self._stage.put_back(name)
        points = KillPoints(request.get("point"), lambda where: tell({"name": where}))
        app: Any = around_answer(points, self._app)
        if story.from_start:
            install(points, self._runtime.database, self._stage.data, between=story.between)
        async with self._world(dict(self._scenes[name]), tell, app) as world:
            if not story.from_start:
                install(points, self._runtime.database, self._stage.data, between=story.between)
            if (moment := request.get("moment")) is not None:
                signal.setitimer(signal.ITIMER_REAL, max(1e-5, moment * self._seconds[name]))
            began = time.perf_counter()
            await story.act(world)
            tell({"passed": points.passed, "seconds": time.perf_counter() - began})
            signal.setitimer(signal.ITIMER_REAL, 0)

    async def _look(self, name: str, lines: Lines, tell: Tell) -> None:
        story, history = self._stories[name](), History()
        for line in lines:
            history.note(line)
        await self._stage.settle()
        await self._stage.let_leases_run_out()
        async with self._world(dict(self._scenes[name]), history.note, self._app) as world:
            world.history = history
            world.pass_time(1 / 60)
            await story.retry(world)
            for _ in range(WAITS):
                world.pass_time(2)
                await world.work_off()
                if await world.is_worked_off():
                    break
            faults = [*await violations(world), *[fault async for fault in story.check(world)]]
        for fault in faults:
            tell({"fault": fault})
        tell({"looked": True, "duplicates": duplicates(world)})

    @asynccontextmanager
    async def _world(self, scene: dict[str, Any], tell: Tell, app: FastAPI) -> AsyncIterator[World]:
        async with opened(self._runtime):
            transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as client:
                yield World(
                    self._runtime, app, self._clock, self._stage.folder, scene, tell, client, self._hook_url
                )


PATIENCE = -1
"""The status of a child that was not waited for any longer."""


def print_nothing(_: dict[str, Any]) -> None:
    """Tell nobody."""


def _forked(run: Callable[[Tell], Awaitable[None]]) -> tuple[Lines, int]:
    """Run something in a child; return what it told before it ended or died, and how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(run, writing)
    os.close(writing)
    text, in_time = _read(reading)
    os.close(reading)
    if not in_time:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    whole = text[: text.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()], status if in_time else PATIENCE


def _child(run: Callable[[Tell], Awaitable[None]], writing: int) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def tell(message: dict[str, Any]) -> None:
        os.write(writing, line_of(message))

    try:
        asyncio.run(run(tell))  # type: ignore[arg-type]  # a coroutine, as async functions give
    except BaseException:  # noqa: BLE001 - the edge of a process; the parent tells it
        tell({"fault": traceback.format_exc()[-3000:]})
    finally:
        os._exit(0)


def _read(descriptor: int) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if not select.select([descriptor], [], [], 1.0)[0]:
            continue
        part = os.read(descriptor, 1 << 16)
        if not part:
            return b"".join(parts), True
        parts.append(part)
    return b"".join(parts), False


def _requests() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def main() -> None:
    """Serve one parent until it closes the pipe."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what anything prints is no answer
    order = json.loads(sys.argv[1])
    keep_templates()
    zygote = Zygote(order)
    zygote.warm_up(order["names"])
    os.write(answers, line_of({"ready": True}))
    with contextlib.suppress(KeyboardInterrupt):
        for request in _requests():
            os.write(answers, line_of(zygote.play(request)))


if __name__ == "__main__":
    main()
