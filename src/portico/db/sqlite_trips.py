"""Trips on SQLite: those that wait at the same moment are one transaction, in one call to the writer's thread.

SQLite has one writer, and each of its commits waits for the disk. So trips that come while another transaction is
under way are put together and committed at once (group commit): the disk is waited for once, and each answer still
leaves only when its row is on it. Each trip has a savepoint: one that finds no row or breaks a constraint undoes
itself and not its neighbours. The group takes its turn in the queue of writers like any unit of work.
"""
# ruff: noqa: SLF001 - as in `portico.db.sqlite_driver`

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Dialect, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from portico.core import failpoints
from portico.db.trips import Prepared, Trip
from portico.db.unit import translated

LARGEST_GROUP = 64
"""How many trips one commit carries: some milliseconds of work, so that other writers get their turn."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """One trip that waits for the writer, and for its commit."""

    statements: tuple[Prepared, ...]
    values: Mapping[str, Any]
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, outcome: Any) -> None:
        """Give the row, None or the error to who waits, if he still does."""
        if self.done.done():
            return
        if isinstance(outcome, BaseException):
            self.done.set_exception(outcome)
        else:
            self.done.set_result(outcome)


class SqliteTrips:
    """Makes trips on the one writing connection of a process."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._queue: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None

    @property
    def dialect(self) -> Dialect:
        """Return the dialect that statements are compiled for."""
        return self._engine.dialect

    async def run(self, trip: Trip, values: Mapping[str, Any]) -> Any | None:
        """Make a trip; see `Trips.run`. Cancelled before its turn it is not made, later it may be."""
        if failpoints.armed:
            await failpoints.reach("db.trip.before_commit")
        waiting = _Waiting(trip.prepared(self.dialect), values)
        self._queue.append(waiting)
        if self._worker is None:  # in a context of its own: the first request's must not stay with all others
            self._worker = asyncio.get_running_loop().create_task(self._work(), context=Context())
        row = await waiting.done
        if failpoints.armed:
            await failpoints.reach("db.trip.after_commit")
        return row

    async def _work(self) -> None:
        try:
            while self._queue:
                await self._commit_next_group()
        finally:
            self._worker = None

    async def _commit_next_group(self) -> None:
        group: Sequence[_Waiting] = ()
        try:
            connection = await self._engine.raw_connection()
            try:
                group = self._next_group()
                outcomes = await _in_its_thread(connection, group)
            finally:
                await greenlet_spawn(connection.close)
        except BaseException as error:
            for waiting in group or self._next_group():
                waiting.settle(self._told(error))
            if not isinstance(error, Exception):
                raise
            return
        for waiting, outcome in zip(group, outcomes, strict=True):
            waiting.settle(self._told(outcome) if isinstance(outcome, Exception) else outcome)

    def _next_group(self) -> Sequence[_Waiting]:
        group = [waiting for waiting in self._queue[:LARGEST_GROUP] if not waiting.done.done()]
        del self._queue[:LARGEST_GROUP]
        return group

    def _told(self, error: BaseException) -> BaseException:
        """Return the product's error for the driver's, as if the statement had gone through SQLAlchemy."""
        if isinstance(error, sqlite3.Error):
            dialect = self.dialect
            error = DBAPIError.instance(
                None, None, error, sqlite3.Error, hide_parameters=True, dialect=dialect
            )
        return translated(error)


async def _in_its_thread(connection: PoolProxiedConnection, group: Sequence[_Waiting]) -> list[Any]:
    driver: Any = connection.driver_connection
    outcomes: list[Any] = await driver._execute(_commit_group, driver._conn, group)
    return outcomes


def _commit_group(connection: sqlite3.Connection, group: Sequence[_Waiting]) -> list[Any]:
    """Return for each trip its row, None or the error that undid it, once all of it is on the disk."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcomes = [_outcome(connection, waiting) for waiting in group]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return outcomes


def _outcome(connection: sqlite3.Connection, waiting: _Waiting) -> Any:
    connection.execute("SAVEPOINT trip")
    try:
        outcome = _last_row(connection, waiting)
    except Exception as error:  # told to who made the trip
        if not connection.in_transaction:  # a full disk ends the transaction of all
            raise
        outcome = error
    if outcome is None or isinstance(outcome, Exception):
        connection.execute("ROLLBACK TO trip")
    connection.execute("RELEASE trip")
    return outcome


def _last_row(connection: sqlite3.Connection, waiting: _Waiting) -> Any | None:
    carried: dict[str, Any] = {}
    row = None
    for prepared in waiting.statements:
        found = connection.execute(prepared.sql, prepared.arguments(waiting.values, carried)).fetchall()
        if not found:
            return None
        row = prepared.row(found[0])
        carried.update(zip(prepared.columns, found[0], strict=True))
    return row
