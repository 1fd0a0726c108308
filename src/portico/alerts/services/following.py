"""The follower: reads the trail in the order of its links and lets the rules hear it.

One process at a time, under a lease, reads what was chained since its place in batches. What the rules remember, the
alerts, their events, who is to be mailed and the new place are written in one transaction: a crash before its commit
leaves nothing, and the same entries are heard again by rules that remember nothing of them; a crash after it leaves
nothing to do.
"""

from collections.abc import Sequence
from typing import Final

import structlog

from portico.alerts.book import AlertRules
from portico.alerts.repositories import (
    AlertRepository,
    CounterRepository,
    FollowerRepository,
    Place,
)
from portico.alerts.services.hearing import Hearing, listen
from portico.alerts.services.mailing import Mailing
from portico.alerts.services.raising import Raising
from portico.alerts.settings import AlertsSettings
from portico.audit.services import read_links
from portico.audit.types import ChainedEntry
from portico.coordination.errors import LeaseTaken
from portico.coordination.leases import Lease, Leases
from portico.core import failpoints
from portico.runtime import Runtime

log = structlog.get_logger("portico.alerts")

LEASE: Final = "alerts.follower"
BATCH: Final = 500
GROUP_KEY: Final = "alerts.group"
"""Under which key the names of groups become MACs."""


class Following:
    """Follows the trail; harmless where another process does so too."""

    def __init__(self, runtime: Runtime, *, batch: int = BATCH) -> None:
        self._runtime = runtime
        self._rules = runtime.get(AlertRules)
        self._batch = batch

    async def run(self) -> int:
        """Hear all that waits and send the mails that are due, if nobody else is at it; return how many entries."""
        async with self._runtime.reads() as session:
            if not await FollowerRepository(session).exists_work(self._runtime.clock.now()):
                return 0
        try:
            async with self._runtime.get(Leases).hold(LEASE) as lease:
                return await self._work(lease)
        except LeaseTaken:
            return 0

    async def _work(self, lease: Lease) -> int:
        total, heard = 0, self._batch
        while heard >= self._batch and not lease.is_lost:
            heard = await self._follow(lease)
            total += heard
            await Mailing(self._runtime).send_due(lease)
        return total

    async def _follow(self, lease: Lease) -> int:
        """Hear one batch: read and count with no transaction open, then write."""
        async with self._runtime.reads() as session:
            place = await FollowerRepository(session).find_place()
            entries = await read_links(session, place.position, self._batch)
        if not entries:
            return 0
        hearing = await self._heard(entries, place)
        async with (unit := self._runtime.unit()):
            lease.fence(unit)
            if not await FollowerRepository(unit.session).advance(place.position, entries[-1].link):
                return 0
            if failpoints.armed:
                await failpoints.reach("alerts.follow.after_advance")
            await Raising(self._runtime, unit).write(hearing)
            if failpoints.armed:
                await failpoints.reach("alerts.follow.before_commit")
        if failpoints.armed:
            await failpoints.reach("alerts.follow.after_commit")
        return len(entries)

    async def _heard(self, entries: Sequence[ChainedEntry], place: Place) -> Hearing:
        found = [
            heard
            for chained in entries
            if place.heard_from is None or chained.entry.at > place.heard_from
            for heard in listen(self._rules, chained.entry, self._key)
        ]
        async with self._runtime.reads() as session:
            states = await CounterRepository(session).states({heard.key for heard in found})
            known = {state.alert_id for state in states.values() if state.alert_id is not None}
            statuses = await AlertRepository(session).statuses(known)
        longest = self._runtime.section(AlertsSettings).longest
        hearing = Hearing(states, statuses, longest=longest, now=self._runtime.clock.now())
        for heard in found:
            hearing.take(heard)
        return hearing

    def _key(self, name: str) -> str:
        return group_key(self._runtime, name)


def group_key(runtime: Runtime, name: str) -> str:
    """Return the name under which a group is kept: nobody reads an address or an account out of it."""
    return runtime.lasting.mac(GROUP_KEY, name.encode()).hex()
