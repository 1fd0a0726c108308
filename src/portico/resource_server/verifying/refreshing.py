"""A value that another server gives: loaded once for all who wait, kept while it is fresh, and a while longer when
that server is away. Failures are remembered for a moment, so that requests do not queue up behind a dead server.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from portico.core.clock import Clock
from portico.resource_server.errors import ServerUnavailable


@dataclass(frozen=True, slots=True)
class Ages:
    """How long a value is `fresh`, how long it is `kept` when nothing newer is to be had, and how long to `pause`
    between two attempts.
    """

    fresh: timedelta
    kept: timedelta
    pause: timedelta


class Refreshed[T]:
    """The value and its age."""

    def __init__(self, load: Callable[[], Awaitable[T]], clock: Clock, ages: Ages) -> None:
        self._load = load
        self._clock = clock
        self._ages = ages
        self._lock = asyncio.Lock()
        self._value: T | None = None
        self._loaded_at = 0.0
        self._tried_at: float | None = None

    async def get(self) -> T:
        """Return the value, loaded anew if it is not fresh.

        Raises:
            ServerUnavailable: there is none, or it is too old to be believed.
        """
        if self._value is not None and self._is_within(self._loaded_at, self._ages.fresh):
            return self._value
        return await self._renewed(self._value)

    async def newer_than(self, seen: T) -> T:
        """Return a value that is not `seen`, or `seen` itself where there is none or it was asked for a moment ago."""
        if self._value is not None and self._value is not seen:
            return self._value
        return await self._renewed(seen)

    async def _renewed(self, seen: T | None) -> T:
        async with self._lock:
            if self._value is not None and self._value is not seen:
                return self._value
            if not self._is_within(self._tried_at, self._ages.pause):
                await self._try()
        if self._value is not None and self._is_within(self._loaded_at, self._ages.kept):
            return self._value
        raise ServerUnavailable("the authorization server gave no answer that can be used")

    async def _try(self) -> None:
        self._tried_at = self._clock.monotonic()
        try:
            self._value = await self._load()
        except ServerUnavailable:
            return
        self._loaded_at = self._clock.monotonic()

    def _is_within(self, since: float | None, age: timedelta) -> bool:
        return since is not None and self._clock.monotonic() - since < age.total_seconds()
