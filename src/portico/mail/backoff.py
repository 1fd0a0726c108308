"""How long a mail server that takes nobody's message is left alone."""

from datetime import timedelta

from portico.core.clock import Clock

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0


class TransportGate:
    """Counts the faults in a row, so that waiting messages do not each knock at a dead server.

    The pauses are 1, 2, 4, … 30 seconds long; messages that met the same fault side by side count as one.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._faults = 0
        self._opens_at = 0.0

    @property
    def left(self) -> timedelta | None:
        """Return how much longer no message is tried; None if one may be."""
        seconds = self._opens_at - self._clock.monotonic() if self._faults else 0.0
        return timedelta(seconds=seconds) if seconds > 0 else None

    def shut(self) -> timedelta:
        """Note that the transport is down; return how long no message is tried."""
        if (left := self.left) is not None:
            return left
        pause = min(FIRST_PAUSE_SECONDS * 2**self._faults, LONGEST_PAUSE_SECONDS)
        self._faults = min(self._faults + 1, 10)
        self._opens_at = self._clock.monotonic() + pause
        return timedelta(seconds=pause)

    def open(self) -> None:
        """Note that the transport works."""
        self._faults = 0
