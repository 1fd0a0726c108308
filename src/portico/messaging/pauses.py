"""Leaving a broker alone that is away: 1, 2, 4 … 30 seconds."""

from typing import Final

from portico.core.clock import Clock

LONGEST_SECONDS: Final = 30.0


class BrokerAway(Exception):
    """A broker cannot be reached, refuses, or does not answer in time; the message says why, without a password."""


class Pauses:
    """Counts the failures in a row, and tells when the next try is due."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._until = 0.0

    @property
    def is_over(self) -> bool:
        """Tell whether it is time for a try."""
        return self._failures == 0 or self._clock.monotonic() >= self._until

    def begin(self) -> float:
        """Wait after a failure, longer than after the one before; return for how many seconds."""
        seconds: float = min(2.0**self._failures, LONGEST_SECONDS)
        self._failures = min(self._failures + 1, 10)
        self._until = self._clock.monotonic() + seconds
        return seconds

    def end(self) -> None:
        """Forget the failures: it works."""
        self._failures = 0
