"""SQLite through aiosqlite with one call to its thread a statement instead of four.

SQLAlchemy's own adapter makes a cursor, executes, fetches and closes, each a hop to the connection's thread and back
(about 40 µs). The statements here return few rows and are fetched whole anyway, so that one function can do all four
in the thread: a statement then costs a third of the processor time.
"""
# ruff: noqa: SLF001 - an adapter stands between the private parts of two libraries

import asyncio
import collections
import sqlite3
from collections.abc import Sequence
from typing import Any, ClassVar

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)
from sqlalchemy.util import EMPTY_DICT


class _Executed:
    """What is left of a cursor that was closed in the thread."""

    __slots__ = ("description", "lastrowid", "rowcount")
    arraysize: ClassVar[int] = 1

    def __init__(self, cursor: sqlite3.Cursor | None = None) -> None:
        self.description: Any = cursor.description if cursor else None
        self.rowcount = cursor.rowcount if cursor else -1
        self.lastrowid = cursor.lastrowid if cursor else None

    def close(self) -> None:
        """Do nothing: it is closed."""


def _execute(
    connection: sqlite3.Connection, statement: str, parameters: Any
) -> tuple[_Executed, Sequence[Any]]:
    cursor = connection.execute(statement, parameters or ())
    try:
        rows = cursor.fetchall() if cursor.description else ()
        return _Executed(cursor), rows
    finally:
        cursor.close()


def _execute_many(connection: sqlite3.Connection, statement: str, parameters: Any) -> _Executed:
    cursor = connection.executemany(statement, parameters)
    try:
        return _Executed(cursor)
    finally:
        cursor.close()


class OneCallCursor(AsyncAdapt_aiosqlite_cursor):
    """A cursor that exists in the thread only while its statement runs."""

    __slots__ = ()
    _awaitable_cursor_close = False

    def __init__(self, adapt_connection: Any) -> None:
        self._adapt_connection = adapt_connection
        self._connection = adapt_connection._connection
        self._cursor: Any = _Executed()
        self._soft_closed_memoized = EMPTY_DICT
        self._rows = collections.deque()

    async def _execute_async(self, operation: Any, parameters: Any) -> Any:
        connection: Any = self._connection
        async with self._adapt_connection._execute_mutex:
            self._cursor, rows = await connection._execute(_execute, connection._conn, operation, parameters)
        self._rows = collections.deque(rows)
        return self._cursor

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> Any:
        connection: Any = self._connection
        async with self._adapt_connection._execute_mutex:
            self._cursor = await connection._execute(
                _execute_many, connection._conn, operation, seq_of_parameters
            )
        return self._cursor


class _Connection(AsyncAdapt_aiosqlite_connection):
    __slots__ = ()
    _cursor_cls = OneCallCursor

    def rollback(self) -> None:
        """Undo what is open; the pool asks for it at each return, and mostly there is nothing to go there for."""
        connection: Any = self._connection
        if connection._connection is not None and connection._conn.in_transaction:
            super().rollback()


class OneCallDriver(AsyncAdapt_aiosqlite_dbapi):
    """The driver to give to `create_async_engine(module=…)`."""

    def __init__(self) -> None:
        super().__init__(aiosqlite, sqlite3)

    def connect(self, *args: Any, **kwargs: Any) -> AsyncAdapt_aiosqlite_connection:
        """Open a connection whose statements are one call each."""
        connection = super().connect(*args, async_creator_fn=_opened, **kwargs)
        return _Connection(self, connection._connection)


async def _opened(*args: Any, **kwargs: Any) -> aiosqlite.Connection:
    """Open a connection; close it again if whoever asked is cancelled meanwhile, where aiosqlite would drop it open."""
    connection = aiosqlite.connect(*args, **kwargs)
    connection._thread.daemon = True
    opening = asyncio.ensure_future(connection)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_let_go)
        raise


def _let_go(opening: asyncio.Future[aiosqlite.Connection]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().stop()
