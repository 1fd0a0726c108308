"""Work that a process repeats while it lives: sending due mail, sweeping what has expired.

A run that fails is logged and tried again at the next turn; each run must be harmless when two processes do it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from portico.runtime import Runtime

log = structlog.get_logger("portico.periodic")

GRACE_SECONDS = 5.0
"""How long a run under way may take to end when the process stops."""


@dataclass(frozen=True, slots=True)
class Periodic:
    """`run` is called every `every`, first right after the start, and early when `wake` is called."""

    name: str
    every: timedelta
    run: Callable[[Runtime], Awaitable[object]]


class PeriodicRunner:
    """Runs the periodic works of all features in this process, each in a task of its own."""

    def __init__(self, runtime: Runtime, works: list[Periodic]) -> None:
        self._runtime = runtime
        self._works = works
        self._wakes = {work.name: asyncio.Event() for work in works}
        self._tasks: list[asyncio.Task[None]] = []
        self._soon: set[str] = set()
        self._is_stopping = False

    def start(self) -> None:
        """Begin; call inside the event loop."""
        self._tasks = [
            asyncio.create_task(self._repeat(work), name=f"periodic:{work.name}") for work in self._works
        ]

    async def stop(self) -> None:
        """Let the runs under way end, which may be inside a transaction; cancel what takes longer than the grace."""
        self._is_stopping = True
        for wake in self._wakes.values():
            wake.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self, name: str, *, within: float = 0.0) -> None:
        """Make the work called `name` run now, or right after its present run; unknown names do nothing.

        With `within` it runs so many seconds later at the latest; calls that meet are one run.
        """
        if (event := self._wakes.get(name)) is None:
            return
        if not within:
            event.set()
        elif name not in self._soon:
            self._soon.add(name)
            asyncio.get_running_loop().call_later(within, self._now, name)

    def _now(self, name: str) -> None:
        self._soon.discard(name)
        self._wakes[name].set()

    def has(self, name: str) -> bool:
        """Tell whether this process does the work called `name`."""
        return name in self._wakes

    async def _repeat(self, work: Periodic) -> None:
        wake = self._wakes[work.name]
        while not self._is_stopping:
            wake.clear()
            try:
                await work.run(self._runtime)
            except Exception as error:  # noqa: BLE001 - the edge of a task: recorded, and tried again at the next turn
                log.warning("periodic_failed", work=work.name, error=repr(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), work.every.total_seconds())
