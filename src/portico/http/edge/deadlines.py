"""How long a request may take before its answer begins.

One timer for all requests under way, instead of one for each: entering and leaving `asyncio.timeout` costs every
request 2 to 3 µs, a place in a dictionary costs a tenth of one. A request may run over by a fraction of the limit.
"""

import asyncio
from typing import Final, Protocol

FINEST_SECONDS: Final = 0.01
COARSEST_SECONDS: Final = 0.5


class Expiring(Protocol):
    """What is told that its time is over, just before its task is cancelled."""

    expired: bool


class Deadlines:
    """Cancels the task of each request that has not begun to answer in time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._interval = min(COARSEST_SECONDS, max(FINEST_SECONDS, seconds / 20))
        self._running: dict[Expiring, tuple[float, asyncio.Task[object]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, what: Expiring) -> None:
        """Start the time of a request; in the task that serves it."""
        task = asyncio.current_task()
        if task is None:
            return
        loop = task.get_loop()
        self._running[what] = (loop.time() + self._seconds, task)
        if self._timer is None:
            self._timer = loop.call_later(self._interval, self._sweep, loop)

    def end(self, what: Expiring) -> None:
        """Stop the time of a request: it answers, or is over. Harmless when it was stopped before."""
        self._running.pop(what, None)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        late = [what for what, (deadline, _) in self._running.items() if deadline <= now]
        for what in late:
            _, task = self._running.pop(what)
            what.expired = True
            task.cancel()
        self._timer = loop.call_later(self._interval, self._sweep, loop) if self._running else None
