"""Telling the trail to others, at least once and in order: to each sink at its own pace, from where it stands."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

import structlog

from portico.audit.repositories.reading import ChainReader
from portico.audit.repositories.sinks import SinkRepository, SinkState
from portico.audit.sinks import SINKS, Sink, SinkFailed
from portico.audit.types import ChainedEntry
from portico.coordination.errors import LeaseTaken
from portico.coordination.leases import Lease, Leases
from portico.runtime import Runtime

log = structlog.get_logger("portico.audit")

BATCH: Final = 500
LONGEST_WAIT: Final = timedelta(minutes=1)


class Shipping:
    """Ships to one sink; a dead one delays nobody but itself."""

    def __init__(self, runtime: Runtime, name: str) -> None:
        self._runtime = runtime
        self._name = name
        self._sink = SINKS[name](runtime)

    @property
    def is_wanted(self) -> bool:
        """Tell whether the settings name this sink."""
        return self._sink is not None

    async def state(self) -> tuple[SinkState, int]:
        """Return how the sink is doing, and how many entries it has not been told."""
        async with self._runtime.reads() as session:
            sinks = SinkRepository(session)
            state = await sinks.state(self._name)
            return state, await sinks.count_behind(state.position)

    async def run(self) -> int:
        """Ship all that waits, unless another process does or the sink is given a rest; return how many entries."""
        sink = self._sink
        if sink is None:
            return 0
        state, behind = await self.state()
        if not behind or (state.next_try_at is not None and state.next_try_at > self._runtime.clock.now()):
            return 0
        try:
            async with self._runtime.get(Leases).hold(f"audit.ship.{self._name}") as lease:
                return await self._ship(sink, lease)
        except LeaseTaken:
            return 0

    async def _ship(self, sink: Sink, lease: Lease) -> int:
        total = 0
        state, _ = await self.state()
        while not lease.is_lost and (entries := await self._next(state.position)):
            try:
                await sink.send(entries)
            except SinkFailed as error:
                await self._write(self._failed(state, str(error)), lease)
                break
            now = self._runtime.clock.now()
            state = SinkState(name=self._name, position=entries[-1].link, shipped_at=now)
            await self._write(state, lease)
            total += len(entries)
        return total

    async def _next(self, position: int) -> list[ChainedEntry]:
        async with self._runtime.reads() as session:
            return await ChainReader(session).list_links_after(position, BATCH)

    async def _write(self, state: SinkState, lease: Lease) -> None:
        async with (unit := self._runtime.unit()):
            lease.fence(unit)
            await SinkRepository(unit.session).put(state)

    def _failed(self, state: SinkState, error: str) -> SinkState:
        now = self._runtime.clock.now()
        if state.failing_since is None:
            log.warning("audit_sink_failing", sink=self._name, error=error)
        seconds = min(2.0 ** min(state.failures, 10), LONGEST_WAIT.total_seconds())
        return replace(
            state,
            failing_since=state.failing_since or now,
            failures=state.failures + 1,
            next_try_at=now + timedelta(seconds=seconds),
            last_error=error,
        )
