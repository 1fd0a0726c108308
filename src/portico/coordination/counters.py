"""Rate counters: the port, the windows that are counted in, what an answer says.

The count is a sliding one. Hits are kept with their times, those that came close together (a twentieth of the window)
as one entry with the time of the last of them; an entry leaves as a whole, a full period after that time. So no
window of the stated length ever holds more than its amount, wherever it is laid; the price is that a hit may be
remembered up to a twentieth of the period too long. (The usual two buckets, weighted, let nearly twice the amount
pass when a burst ends one bucket and the next burst comes late in the other.)

Several windows hold at once. A hit is counted in all of them or, when one refuses, in none: whoever knocks at a
closed door does not lock himself out for longer, and does not spend tomorrow's budget today.

`MemoryCounters` (memory.py) counts in this process, `RedisCounters` (redis_counters.py) for all.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

GRAINS = 20
"""Into how many parts a window is cut; hits within one part are one entry."""

UNIT_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
LONGEST_SECONDS = 31 * 86_400

_WINDOW = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,3})?(second|minute|hour|day)s?")


class Window(NamedTuple):
    """At most `amount` hits in any `period_seconds` seconds; `name` is how it is written (`minute`, `15minute`)."""

    amount: int
    period_seconds: int
    name: str


class Verdict(NamedTuple):
    """What became of one hit. The other fields tell of the window that binds the most.

    `limit` is its amount and `remaining` what is left of it; `reset_after` seconds from now all of it is free
    again if nothing else comes. `retry_after` is 0 for an allowed hit; for a refused one the seconds after which
    one more is let in.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_after: float
    retry_after: float


UNLIMITED = Verdict(allowed=True, limit=0, remaining=0, reset_after=0.0, retry_after=0.0)
"""The answer where no window holds."""


class Counters(Protocol):
    """Counts hits by key. A key is short (an id, an address), already normal, and tells what it counts."""

    async def hit(self, key: str, limits: Sequence[Window]) -> Verdict:
        """Count one hit of `key` if every window has room for it.

        The windows of one key have different periods; when they change, what was counted in a period stays.
        """
        ...


def parse_windows(text: str) -> tuple[Window, ...]:
    """Read windows as settings write them: `10/minute 100/hour`, `5/15minutes`; shortest first, none for "".

    Raises:
        ValueError: another form, a period named twice, or one of more than 31 days.
    """
    windows = sorted((_window(word) for word in re.split(r"[\s,]+", text.strip()) if word), key=_period)
    if len({window.period_seconds for window in windows}) < len(windows):
        raise ValueError(f"two limits for the same period in {text!r}")
    return tuple(windows)


def _period(window: Window) -> int:
    return window.period_seconds


def _window(word: str) -> Window:
    match = _WINDOW.fullmatch(word)
    if match is None:
        raise ValueError(f"{word!r} is no limit: write for example 10/minute, 100/hour or 5/15minutes")
    amount, times, unit = match.groups()
    seconds = int(times or 1) * UNIT_SECONDS[unit]
    if seconds > LONGEST_SECONDS:
        raise ValueError(f"{word!r} is longer than 31 days")
    return Window(int(amount), seconds, f"{times or ''}{unit}")
