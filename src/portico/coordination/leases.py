"""Leases: at most one process does a named thing at a time, and one that was asleep meanwhile finds out.

A lease is a row in the database, for Redis never holds the truth. Each holder gets a number that is greater than that
of every holder before him (a fencing token). He renews the lease while he works, and believes in it only as long as
his last renewal surely lasts, counted by his own monotonic clock from before it was sent; so a process that was
stopped, swapped out or put to sleep sees at the first look that its time is over. A look is not enough where something
is written: between it and the commit there may be another sleep. `Lease.fence` therefore lets the transaction itself
ask for the token and hold the row until the commit.

When a lease runs out, the database's clock decides on PostgreSQL, the host's on SQLite.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog

from portico.coordination.errors import LeaseLost, LeaseTaken
from portico.coordination.models import process_description
from portico.coordination.repositories import LeaseRepository
from portico.db.unit import Unit
from portico.runtime import Runtime

log = structlog.get_logger("portico.coordination")

DEFAULT_TTL: Final = timedelta(seconds=30)
BEATS_A_TTL: Final = 3


class Lease:
    """A named right that nobody else has, for a while; `token` is greater than that of every holder before."""

    def __init__(self, runtime: Runtime, name: str, ttl: timedelta) -> None:
        self.name = name
        self.token = 0
        self._runtime = runtime
        self._ttl = ttl
        self._believed_until = float("-inf")
        self._was_lost = False

    @property
    def is_lost(self) -> bool:
        """Tell whether somebody else may hold it by now; what is lost once is lost for good."""
        self._was_lost = self._was_lost or self._runtime.clock.monotonic() >= self._believed_until
        return self._was_lost

    def refuse_if_lost(self) -> None:
        """Let work go on only under a living lease.

        Raises:
            LeaseLost: it is not.
        """
        if self.is_lost:
            raise LeaseLost(f"the lease of {self.name!r} ran out under this process")

    def fence(self, unit: Unit) -> None:
        """Let `unit` commit only if this is still the newest token; nobody takes the lease before it has.

        The commit raises `LeaseLost` (409) otherwise, and nothing is written.
        """

        async def ask() -> None:
            if not await LeaseRepository(unit.session).is_newest(self.name, self.token):
                self._was_lost = True
            self.refuse_if_lost()

        unit.before_commit(ask)

    async def take(self, holder: str) -> None:
        """Take the lease.

        Raises:
            LeaseTaken: somebody else holds it.
        """
        started = self._runtime.clock.monotonic()
        async with (unit := self._runtime.unit()):
            leases = LeaseRepository(unit.session)
            token = await leases.take(self.name, holder, self._runtime.clock.now(), self._ttl)
            if token is None:
                other = await leases.holder_of(self.name)
                raise LeaseTaken(f"{self.name!r} is under way: {other}")
        self.token = token
        self._believed_until = started + self._ttl.total_seconds()

    async def keep(self) -> None:
        """Renew it again and again until it is lost."""
        while not self.is_lost:
            await asyncio.sleep(self._ttl.total_seconds() / BEATS_A_TTL)
            try:
                await self._renew()
            except Exception as error:  # noqa: BLE001 - recorded; tried again as long as the lease lasts
                log.warning("lease_not_renewed", name=self.name, error=repr(error))
        log.error("lease_lost", name=self.name, token=self.token)

    async def give_back(self) -> None:
        """Let the next one take it at once; it would get it with the end of the time anyway."""
        try:
            async with (unit := self._runtime.unit()):
                await LeaseRepository(unit.session).release(self.name, self.token, self._runtime.clock.now())
        except Exception as error:  # noqa: BLE001 - it runs out by itself
            log.warning("lease_not_given_back", name=self.name, error=repr(error))

    async def _renew(self) -> None:
        if self.is_lost:  # also right after a sleep: what has run out is not revived behind another's back
            return
        started = self._runtime.clock.monotonic()
        async with (unit := self._runtime.unit()):
            leases = LeaseRepository(unit.session)
            is_ours = await leases.renew(self.name, self.token, self._runtime.clock.now(), self._ttl)
        if is_ours:
            self._believed_until = started + self._ttl.total_seconds()
        else:
            self._was_lost = True


class Leases:
    """Gives out leases; `runtime.get(Leases)` in every process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @asynccontextmanager
    async def hold(self, name: str, ttl: timedelta = DEFAULT_TTL) -> AsyncIterator[Lease]:
        """Hold the lease `name` (at most 100 characters) inside the block, renewed three times a `ttl`.

        Nothing interrupts the block when the lease is lost: look at `lease.is_lost` between two steps, and `fence`
        what is written.

        Raises:
            LeaseTaken: somebody else holds it (409).
        """
        lease = Lease(self._runtime, name, ttl)
        await lease.take(process_description())
        keeping = asyncio.create_task(lease.keep(), name=f"lease-{name}")
        try:
            yield lease
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await lease.give_back()
