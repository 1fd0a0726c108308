"""Counters that all processes share, in Redis or Valkey, with this process's own as a second opinion and a fallback.

Every hit is counted here first, and what is refused here is not asked further: the hits that this process let in are
some of the hits that all let in, so it is right to refuse, and a flood costs Redis nothing. Then one call of a script
counts it for all. When Redis does not answer, the local verdict holds. As the local count already knows what went
through this process, losing or emptying Redis opens nothing: N processes together let in at most N times the
amount, and a single one never more than the amount.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from portico.coordination.counters import Verdict, Window
from portico.coordination.memory import MemoryCounters

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = structlog.get_logger("portico.coordination")

PREFIX = "portico:rate:"
PROBE = ("portico:probe", (Window(1_000_000_000, 1, "second"),))
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0

SCRIPT = Path(__file__).with_name("sliding_window.lua").read_text(encoding="utf-8")
SCRIPT_SHA1 = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


class RedisCounters:
    """Counts in Redis; in `local` for as long as Redis fails, hangs, is slow, full or read-only.

    One failure is enough to stop asking (a hit is not worth a second wait), and a task asks on, with a write, until
    an answer comes in time. Nobody's request is the probe.
    """

    def __init__(self, client: "Redis", local: MemoryCounters, timeout: timedelta) -> None:
        self._client = client
        self._local = local
        self._timeout = timeout.total_seconds()
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_local(self) -> bool:
        """Tell whether Redis is away and this process counts alone."""
        return self._probing is not None

    async def hit(self, key: str, limits: Sequence[Window]) -> Verdict:
        """Count one hit of `key` if every window has room for it, here and for all."""
        local = self._local.hit_now(key, limits)
        if not limits or not local.allowed or self.is_local:
            return local
        shared = await self._ask_or_give_up(key, limits)
        if shared is None:
            return local
        if not shared.allowed:
            self._local.take_back(key)
        return shared

    async def close(self) -> None:
        """Stop asking; the client belongs to whoever opened it."""
        probing, self._probing = self._probing, None
        if probing is not None:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)

    async def _ask_or_give_up(self, key: str, windows: Sequence[Window]) -> Verdict | None:
        try:
            return await self._ask(PREFIX + key, windows)
        except Exception as error:  # noqa: BLE001 - whatever ails Redis, the local count answers; recorded here
            self._go_local(error)
            return None

    async def _ask(self, key: str, windows: Sequence[Window]) -> Verdict:
        numbers = [
            number for window in windows for number in (window.amount, window.period_seconds * 1_000_000)
        ]
        async with asyncio.timeout(self._timeout):
            allowed, index, remaining, reset_after, retry_after = await self._call(key, numbers)
        return Verdict(bool(allowed), windows[index].amount, remaining, reset_after / 1e6, retry_after / 1e6)

    async def _call(self, key: str, numbers: list[int]) -> list[int]:
        from redis.exceptions import NoScriptError

        try:
            answer: list[int] = await self._client.evalsha(SCRIPT_SHA1, 1, key, *numbers)
        except NoScriptError:  # a server that was restarted has forgotten it
            answer = await self._client.eval(SCRIPT, 1, key, *numbers)
        return answer

    def _go_local(self, error: Exception) -> None:
        if self._probing is None:
            log.warning("redis_away", error=repr(error), counting="locally")
            self._probing = asyncio.create_task(self._ask_until_back(), name="redis-probe")

    async def _ask_until_back(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not await self._is_back(pause):
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        log.info("redis_back")
        self._probing = None

    async def _is_back(self, pause: float) -> bool:
        """Wait, then write over a new connection: an open one may still lead to a primary that was demoted."""
        await asyncio.sleep(pause)
        with suppress(Exception):
            await self._client.connection_pool.disconnect(inuse_connections=False)
        try:
            await self._ask(*PROBE)
        except Exception as error:  # noqa: BLE001 - recorded, and asked again
            log.debug("redis_still_away", error=repr(error))
            return False
        return True
