"""Announcing on PostgreSQL without listening, for the command line: over the pool of reads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from sqlalchemy import func, select

from portico.coordination.wakeups import CHANNEL
from portico.db.unit import Reads

log = structlog.get_logger("portico.coordination")

LAST_SECONDS: Final = 2.0
"""How long the end of a command waits for its last message."""


class PostgresNotifier:
    """Sends each message in a task and a statement of its own: a NOTIFY in a transaction that writes would queue
    every commit.
    """

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._sending: set[asyncio.Task[None]] = set()

    def announce(self, topic: str) -> None:
        """Wake everybody who listens."""
        task = asyncio.create_task(self._send(topic), name="postgres-announce")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Wait at the end for what is being sent."""
        try:
            yield
        finally:
            if self._sending:
                await asyncio.wait(self._sending, timeout=LAST_SECONDS)

    async def _send(self, topic: str) -> None:
        try:
            async with self._reads() as session:
                await session.execute(select(func.pg_notify(CHANNEL, topic)))
        except Exception as error:  # noqa: BLE001 - the edge of a task: recorded; others look by themselves
            log.debug("wakeup_not_sent", topic=topic, error=repr(error))
