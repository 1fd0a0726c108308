"""A clock that stands still until a test moves it."""

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class FrozenClock:
    """Implements `portico.core.clock.Clock`; wall and monotonic time move together."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._monotonic = 1000.0

    def now(self) -> datetime:
        """Return the frozen time."""
        return self._now

    def monotonic(self) -> float:
        """Return the frozen monotonic seconds."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Let others run; time does not pass by itself."""
        await asyncio.sleep(0)

    def advance(self, step: timedelta) -> None:
        """Let time pass."""
        self._now += step
        self._monotonic += step.total_seconds()

    def jump(self, step: timedelta) -> None:
        """Set the wall clock, forward or back, without time passing."""
        self._now += step
