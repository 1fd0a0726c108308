"""The waiting of whoever revokes (PostgreSQL): until every living worker has read the log as far as his row.

All who wait in one process share one question to the database, asked over the pool of reads, so that nobody holds a
connection while he waits. A look counts only for those who were waiting when it began: it must not be older than
their commit. Nobody waits longer than a lease: by then each worker has either read the log since the commit or
stopped believing its caches.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog

from portico.coordination.postgres_follower import LEASE
from portico.coordination.repositories import RevocationRepository
from portico.db.unit import Reads

log = structlog.get_logger("portico.coordination")

FIRST_PAUSE_SECONDS: Final = 0.005
LONGEST_PAUSE_SECONDS: Final = 0.05
NOBODY_YET: Final = -1


@dataclass(slots=True, eq=False)
class _Waiter:
    seq: int
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    is_announced: bool = False


class Confirmations:
    """Waits for the other workers; `own_id` is the row not to wait for, `announce` wakes the others."""

    def __init__(self, reads: Reads, own_id: UUID, announce: Callable[[], None]) -> None:
        self._reads = reads
        self._own_id = own_id
        self._announce = announce
        self._waiters: list[_Waiter] = []
        self._arrival = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, seq: int) -> None:
        """Return when no other process can still believe what the row `seq` revokes."""
        waiter = _Waiter(seq)
        self._waiters.append(waiter)
        self._arrival.set()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_until_heard(), name="revocations-confirmed")
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(waiter.heard.wait(), LEASE.total_seconds())
        finally:
            self._waiters.remove(waiter)

    async def _look_until_heard(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while unheard := self._unheard():
            self._arrival.clear()
            least = await self._least_position()
            for waiter in unheard:
                if least is None or waiter.seq <= least:
                    waiter.heard.set()
            self._announce_once()
            is_joined = await self._is_joined_within(pause)
            pause = FIRST_PAUSE_SECONDS if is_joined else min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _unheard(self) -> list[_Waiter]:
        return [waiter for waiter in self._waiters if not waiter.heard.is_set()]

    async def _least_position(self) -> int | None:
        try:
            async with self._reads() as session:
                return await RevocationRepository(session).least_position(other_than=self._own_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody is known to have heard, and the look goes on
            log.warning("revocation_confirmations_unknown", error=repr(error))
            return NOBODY_YET

    def _announce_once(self) -> None:
        """Wake the others for those who are still unheard after their first look: alone, one wakes nobody."""
        new = [waiter for waiter in self._unheard() if not waiter.is_announced]
        for waiter in new:
            waiter.is_announced = True
        if new:
            self._announce()

    async def _is_joined_within(self, seconds: float) -> bool:
        """Wait before the next look; True as soon as somebody else begins to wait."""
        if not self._unheard():
            return False
        try:
            await asyncio.wait_for(self._arrival.wait(), seconds)
        except TimeoutError:
            return False
        return True
