"""Connections for trips on PostgreSQL, handed from one trip to the next while the pool has none left.

A busy process has more trips than connections. Giving one back to the pool and taking it out again, with somebody
waiting for it there, costs more than the statement; so whoever waits takes it straight from whoever is done. The pool
gets each `FAIR`-th connection back, for units of work wait there, and nobody waits for a neighbour longer than
`PATIENCE_SECONDS`: all of them may be stuck, while the pool has connections again.
"""

import asyncio
from collections import deque
from typing import Final, cast

from sqlalchemy import AsyncAdaptedQueuePool, PoolProxiedConnection
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

FAIR: Final = 4
PATIENCE_SECONDS: Final = 0.05

type Waiter = asyncio.Future[PoolProxiedConnection | None]


class TripConnections:
    """Lends the connections of one engine; what is taken is given back, whatever became of it."""

    def __init__(self, engine: AsyncEngine, most: int) -> None:
        """`most` is how many connections the pool opens at all."""
        self._engine = engine
        self._pool = cast("AsyncAdaptedQueuePool", engine.pool)
        self._most = most
        self._waiting: deque[Waiter] = deque()
        self._lent = 0
        self._given_back = 0

    async def take(self) -> PoolProxiedConnection:
        """Return a connection: a neighbour's where the pool would have one wait, else one of the pool.

        Raises:
            TimeoutError: SQLAlchemy's; none came free in time.
            DBAPIError, OSError: none can be opened.
        """
        connection = None
        if self._lent and self._pool.checkedout() >= self._most:
            connection = await self._neighbours()
        if connection is None:
            connection = await self._engine.raw_connection()
        self._lent += 1
        return connection

    async def give_back(self, connection: PoolProxiedConnection) -> None:
        """Hand a connection on, or return it to the pool; one that was invalidated is closed."""
        self._lent -= 1
        self._given_back += 1
        is_good = connection.is_valid
        waiter = self._next_waiter()
        if waiter is not None and is_good and self._given_back % FAIR:
            waiter.set_result(connection)
            return
        if is_good and self._pool.checkedin() < self._pool.size():
            connection.close()
        else:  # in a greenlet, because one that is invalid, or on top of the pool's size, is closed here
            await greenlet_spawn(connection.close)
        if waiter is not None:  # behind the unit that the pool has just woken: it would find nothing any more
            _send_away(waiter)

    def _next_waiter(self) -> Waiter | None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                return waiter
        return None

    async def _neighbours(self) -> PoolProxiedConnection | None:
        """Wait for a neighbour's connection; None: try the pool."""
        loop = asyncio.get_running_loop()
        waiter: Waiter = loop.create_future()
        self._waiting.append(waiter)
        bell = loop.call_later(PATIENCE_SECONDS, _send_away, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and (given := waiter.result()) is not None:
                self._lent += 1
                await self.give_back(given)
            raise
        finally:
            bell.cancel()


def _send_away(waiter: Waiter) -> None:
    if not waiter.done():
        waiter.set_result(None)
