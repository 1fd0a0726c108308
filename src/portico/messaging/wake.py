"""Who is told, right after a commit, that there is something to do.

Only a matter of time: whoever is not woken looks by itself every `jobs.poll`.
"""

from collections.abc import Collection

from portico.coordination.wakeups import Wakeups
from portico.messaging.periodic import PeriodicRunner
from portico.messaging.runner import JOBS, JobRunner
from portico.runtime import Runtime

RELAY = "outbox.relay"
"""The periodic work that fans events out; also the topic under which other processes are told of events."""

ANNOUNCE = "jobs.announce"
"""The periodic work that tells a broker which jobs are due."""
PUBLISH = "events.publish"
"""The periodic work that publishes events to a broker."""

SOON_SECONDS = 0.2
"""How long events that only webhooks may hear of wait for others: a busy server fans out five times a second."""


class Wake:
    """Wakes the relay and the runner of this process, and others where this one cannot do the work now."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def relay(self, *, is_urgent: bool = True) -> None:
        """Tell that events were committed; those that no feature here waits for may wait for each other."""
        periodics = self._runtime.find(PeriodicRunner)
        if periodics is None:
            self._announce(RELAY)
        else:
            periodics.wake(RELAY, within=0.0 if is_urgent else SOON_SECONDS)
            periodics.wake(PUBLISH)

    async def runner(self, queues: Collection[str]) -> None:
        """Tell that jobs of these queues are due."""
        runner, periodics = self._runtime.find(JobRunner), self._runtime.find(PeriodicRunner)
        if runner is not None and runner.wake(queues):
            return
        if periodics is not None and periodics.has(ANNOUNCE):
            periodics.wake(ANNOUNCE)
        else:
            self._announce(JOBS)

    def _announce(self, topic: str) -> None:
        if (wakeups := self._runtime.find(Wakeups)) is not None:
            wakeups.announce(topic)
