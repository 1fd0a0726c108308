"""Totals of long lists: counted exactly, but not at every page.

Counting 100,000 rows costs more than reading the page. A short list is counted each time; the total of a long one is
told again for some seconds, so that it may be late by that much and never by more.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import timedelta

from portico.core.clock import Clock

COUNTED_EACH_TIME = 1_000
MOST_REMEMBERED = 256


class Totals:
    """The totals that this process has counted lately; `runtime.get(Totals)`."""

    def __init__(self, clock: Clock, remember_for: timedelta) -> None:
        self._clock = clock
        self._seconds = remember_for.total_seconds()
        self._known: OrderedDict[bytes, tuple[int, float]] = OrderedDict()

    async def of(self, list_key: bytes, count: Callable[[], Awaitable[int]]) -> int:
        """Return the total of the list that `list_key` names (route and filters), from memory or by `count`."""
        now = self._clock.monotonic()
        known = self._known.get(list_key)
        if known is not None and now < known[1]:
            return known[0]
        total = await count()
        self._known.pop(list_key, None)
        if total >= COUNTED_EACH_TIME:
            self._known[list_key] = (total, now + self._seconds)
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return total
