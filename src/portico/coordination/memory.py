"""Counters in the memory of one process: exact to a twentieth of the window, bounded, about a microsecond a hit.

The time is the clock's monotonic one. What `RedisCounters` falls back on, too.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Final

from portico.coordination.counters import GRAINS, UNLIMITED, Verdict, Window
from portico.core.clock import Clock

DEFAULT_MAX_KEYS: Final = 50_000
CANDIDATES: Final = 16
"""How many keys are compared when one has to go."""


class _Count:
    """The hits of one key in one window: older entries, and the newest one that still grows.

    `older` is flat: time of the last hit of an entry, number of its hits, and so on, oldest first.
    `look_at` is a time before which nothing can leave.
    """

    __slots__ = ("amount", "grain", "last", "look_at", "newest", "older", "period", "started", "total")

    def __init__(self, window: Window) -> None:
        self.amount = window.amount
        self.period = window.period_seconds
        self.grain = window.period_seconds / GRAINS
        self.total = 0
        self.started = self.last = self.look_at = float("-inf")
        self.newest = 0
        self.older: list[float] | None = None

    def drop_what_left(self, now: float) -> None:
        """Forget entries whose last hit is a whole period ago."""
        edge = now - self.period
        older = self.older
        if older is not None:
            while older and older[0] <= edge:
                self.total -= int(older[1])
                del older[:2]
            if not older:
                self.older = older = None
        if self.last <= edge:
            self.total = self.newest = 0
        self.look_at = (older[0] if older else self.last) + self.period

    def begin_entry(self, now: float) -> None:
        """Let the newest entry rest and begin another one at `now`."""
        if self.newest:
            if self.older is None:
                self.older = []
                self.look_at = self.last + self.period
            self.older += (self.last, self.newest)
        elif self.older is None:
            self.look_at = now + self.period
        self.started = now
        self.newest = 0

    def frees_one_at(self) -> float:
        """Return the time at which there is room for one more hit."""
        surplus = self.total - self.amount
        for last, hits in zip(
            islice(self.older or (), 0, None, 2), islice(self.older or (), 1, None, 2), strict=True
        ):
            surplus -= int(hits)
            if surplus < 0:
                return last + self.period
        return self.last + self.period


class _Key:
    """What is counted of one key. `counts` follows the order of `windows`; `kept` holds those of other windows, too."""

    __slots__ = ("counts", "kept", "windows")

    def __init__(self, windows: Sequence[Window]) -> None:
        self.windows = windows
        self.counts = [_Count(window) for window in windows]
        self.kept: dict[int, _Count] | None = None

    def change_windows(self, windows: Sequence[Window]) -> None:
        """Take other windows; what was counted in a period stays."""
        self.kept = {**(self.kept or {}), **{count.period: count for count in self.counts}}
        self.counts = [self.kept.get(window.period_seconds) or _Count(window) for window in windows]
        for window, count in zip(windows, self.counts, strict=True):
            count.amount = window.amount
        self.windows = windows

    def fullness(self, now: float) -> float:
        """Return how near the key is to a refusal: 0 for forgotten, 1 for refused."""
        highest = 0.0
        for count in self.counts:
            count.drop_what_left(now)
            highest = max(highest, count.total / max(count.amount, 1))
        return highest


class MemoryCounters:
    """Counts in this process, at most `max_keys` keys (about 700 bytes each with three windows).

    When the table is full, the emptiest of sixteen keys that stand far apart makes room, and the hand moves on. Keys
    without a hit in their windows go first; one that is refused goes only when all sixteen are: pushing out one's own
    block takes as many hits on each of about `max_keys` other keys as it took to be blocked.
    """

    def __init__(self, clock: Clock, max_keys: int = DEFAULT_MAX_KEYS) -> None:
        self._now = clock.monotonic
        self._max_keys = max_keys
        self._keys: dict[str, _Key] = {}
        self._places: list[str] = []
        self._hand = 0

    def __len__(self) -> int:
        return len(self._keys)

    async def hit(self, key: str, limits: Sequence[Window]) -> Verdict:
        """Count one hit of `key` if every window has room for it."""
        return self.hit_now(key, limits)

    def hit_now(self, key: str, windows: Sequence[Window]) -> Verdict:
        """Do as `hit` does, without a coroutine. It is quickest with the same tuple each time."""
        now = self._now()
        known = self._keys.get(key)
        if known is None:
            known = self._add(key, windows, now)
        elif known.windows is not windows:
            known.change_windows(windows)
        tightest: _Count | None = None
        least = 0
        for count in known.counts:
            if now >= count.look_at:
                count.drop_what_left(now)
            left = count.amount - count.total
            if left <= 0:
                return _refusal(known, now)
            if tightest is None or left < least:
                tightest, least = count, left
        if tightest is None:
            return UNLIMITED
        for count in known.counts:
            if now - count.started >= count.grain:
                count.begin_entry(now)
            count.last = now
            count.newest += 1
            count.total += 1
        return Verdict(True, tightest.amount, least - 1, float(tightest.period), 0.0)

    def take_back(self, key: str) -> None:
        """Take the newest hit of `key` back out of the windows that it was last counted in."""
        known = self._keys.get(key)
        for count in known.counts if known is not None else ():
            if count.newest > 0:
                count.newest -= 1
                count.total -= 1

    def _add(self, key: str, windows: Sequence[Window], now: float) -> _Key:
        if len(self._places) < self._max_keys:
            self._places.append(key)
        else:
            place = self._emptiest_place(now)
            del self._keys[self._places[place]]
            self._places[place] = key
        known = self._keys[key] = _Key(windows)
        return known

    def _emptiest_place(self, now: float) -> int:
        size = len(self._places)
        candidates = [(self._hand + step * size // CANDIDATES) % size for step in range(CANDIDATES)]
        self._hand = (self._hand + 1) % size
        return min(candidates, key=lambda place: self._keys[self._places[place]].fullness(now))


def _refusal(known: _Key, now: float) -> Verdict:
    """Tell of the window that stays shut the longest."""
    for count in known.counts:
        count.drop_what_left(now)
    shut = [count for count in known.counts if count.total >= count.amount]
    last = max(shut, key=_Count.frees_one_at)
    return Verdict(
        False, last.amount, 0, max(0.0, last.last + last.period - now), max(0.0, last.frees_one_at() - now)
    )
