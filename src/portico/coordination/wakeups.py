"""Waking other processes: "there is work", "read the log". What is said is a topic and nothing more.

Messages go by NOTIFY over the one connection on which a process listens to PostgreSQL, and by Redis's publish and
subscribe; by both where both are there. On SQLite without Redis nobody else is woken: whoever works on the same file
finds its work by looking. A message that is lost costs time, up to the next look, and never truth.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Final, Protocol

import structlog

log = structlog.get_logger("portico.coordination")

CHANNEL: Final = "portico"
"""Where wake-ups travel, in PostgreSQL as in Redis; the payload is the topic."""
REVOCATIONS: Final = "revocations"
"""The topic of the revocation log: read it now."""
REST_SECONDS: Final = 0.01
"""The least time between two messages of one topic; what is announced meanwhile is one message at its end."""

type Callback = Callable[[], None]


class Carrier(Protocol):
    """One way to other processes."""

    def announce(self, topic: str) -> None:
        """Send soon, from a connection and a task of its own; never waits and never fails."""
        ...


class Wakeups:
    """Announces topics to other processes and hears theirs. Belongs to the event loop."""

    def __init__(self) -> None:
        self._carriers: list[Carrier] = []
        self._callbacks: defaultdict[str, list[Callback]] = defaultdict(list)
        self._resting: set[str] = set()
        self._due: set[str] = set()

    def announce(self, topic: str) -> None:
        """Wake whoever listens to `topic` in other processes; calls that meet are one message.

        Announce after the commit: who is woken before it finds nothing.
        """
        if not self._carriers:
            return
        if topic in self._resting:
            self._due.add(topic)
            return
        self._resting.add(topic)
        self.carry(topic)
        asyncio.get_running_loop().call_later(REST_SECONDS, self._rested, topic)

    def carry(self, topic: str) -> None:
        """Announce at once, also what was announced a moment ago."""
        for carrier in self._carriers:
            carrier.announce(topic)

    def listen(self, topic: str, callback: Callback) -> None:
        """Call `callback` in the event loop when another process announces `topic`, or may have done so unheard.

        It must be quick and must not raise. It may be called for nothing.
        """
        self._callbacks[topic].append(callback)

    def hear(self, topic: str) -> None:
        """Call those who listen to `topic`; what carriers call."""
        for callback in self._callbacks.get(topic, ()):
            try:
                callback()
            except Exception:
                log.exception("wakeup_not_taken", topic=topic)

    def hear_everything(self) -> None:
        """Call all who listen: a carrier was deaf for a while, or has just begun to hear."""
        for topic in list(self._callbacks):
            self.hear(topic)

    def send_by(self, carrier: Carrier) -> None:
        """Announce by this carrier, too."""
        self._carriers.append(carrier)

    def flush(self) -> None:
        """Hand what still rests to the carriers: the process ends."""
        due, self._due = self._due, set()
        for topic in due:
            self.carry(topic)

    def _rested(self, topic: str) -> None:
        self._resting.discard(topic)
        if topic in self._due:
            self._due.discard(topic)
            self.announce(topic)
