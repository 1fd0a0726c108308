"""When to try again: one message that is put off, and a server that takes nobody's."""

from datetime import timedelta

from portico.core.clock import Clock
from portico.core.entropy import Entropy

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(days=1)
JITTER = 0.2
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0


def wait_after(attempts: int, entropy: Entropy) -> timedelta:
    """Return the wait after the `attempts`-th put-off: 30 s, doubled each time, a day at most, 20 % shorter at random.

    Chance spreads what failed together, so that it does not come back together.
    """
    doubled: timedelta = FIRST_WAIT * 2 ** min(attempts - 1, 20)
    chance = int.from_bytes(entropy.bytes(2)) / 0xFFFF
    return min(doubled, LONGEST_WAIT) * (1 - JITTER * chance)


class TransportGate:
    """Shut while the transport is down, so that a thousand waiting messages do not each knock at a dead server.

    Opens by itself for one message after 1, 2, 4, … 30 seconds; a delivery opens it wide.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._faults = 0
        self._opens_at = 0.0

    @property
    def is_open(self) -> bool:
        """Tell whether a message may be tried now."""
        return self._faults == 0 or self._clock.monotonic() >= self._opens_at

    @property
    def width(self) -> float:
        """Return how many may be tried at the same time: one while the transport's health is unknown."""
        return float("inf") if self._faults == 0 else 1

    def shut(self) -> timedelta:
        """Note that the transport is down; return how long no message is tried."""
        pause = min(FIRST_PAUSE_SECONDS * 2**self._faults, LONGEST_PAUSE_SECONDS)
        self._faults = min(self._faults + 1, 10)
        self._opens_at = self._clock.monotonic() + pause
        return timedelta(seconds=pause)

    def open(self) -> None:
        """Note that the transport works."""
        self._faults = 0
