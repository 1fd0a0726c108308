"""Time as an argument: services ask a `Clock`, never the operating system.

Tests freeze it (`portico.testing.FrozenClock`); production uses `SystemClock`.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, whatever happens to the wall clock."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the event loop."""
        ...


if hasattr(time, "CLOCK_BOOTTIME"):

    def _elapsed() -> float:
        # The plain monotonic clock stands still while a machine sleeps: a lease would outlive its neighbours' patience.
        return time.clock_gettime(time.CLOCK_BOOTTIME)
else:
    _elapsed = time.monotonic


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the wall-clock time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since the machine started, those that it slept included where the system counts them."""
        return _elapsed()

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)
