"""Kill points: every place at which a process can be caught between two steps, counted as it passes them.

Statements and commits (SQLAlchemy's events, and on SQLite the driver's own trace, which sees the raw statements of
trips too), writes to sockets, files made, written, synced, renamed and removed below the data directory, the parts of
an answer, and the failpoints that the code names. Only a process of the harness has any of it; elsewhere nothing is
installed.
"""

import asyncio.selector_events
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from portico.core import failpoints
from portico.db.database import Database

type Passed = Callable[[str], None]

WRITING = os.O_WRONLY | os.O_RDWR


class KillPoints:
    """Counts the points that are passed and dies at the one it was made for, saying which it is."""

    def __init__(self, dies_at: int | None, last_words: Callable[[str], None]) -> None:
        self._dies_at = dies_at
        self._last_words = last_words
        self._numbers = count(1)
        self.passed = 0

    def __call__(self, name: str) -> None:
        """Pass one point."""
        self.passed = next(self._numbers)
        if self.passed == self._dies_at:
            self._last_words(name)
            os.kill(os.getpid(), signal.SIGKILL)


class EveryFailpoint(dict[str, failpoints.Action]):
    """Stands for `failpoints.armed`: each named failpoint is a point.

    `between` are the names that code finds when it looks for failpoints inside its transaction: it then takes its long
    way, statement by statement.
    """

    def __init__(self, passed: Passed, between: Iterable[str] = ()) -> None:
        async def action(name: str) -> None:
            passed(name)

        super().__init__(dict.fromkeys(between, action))
        self._action = action

    def __bool__(self) -> bool:
        return True

    def get(self, name: str, default: Any = None) -> Any:
        """Return the action that passes the point."""
        return self._action


def install(passed: Passed, database: Database, folder: Path, *, between: Iterable[str] = ()) -> None:
    """Make everything that this process does from now on pass points; it cannot be undone."""
    failpoints.armed = EveryFailpoint(passed, between)
    watch_statements(passed, database)
    watch_sends(passed)
    watch_files(passed, folder)


def watch_statements(passed: Passed, database: Database) -> None:
    """Pass a point before and after each statement, commit and roll-back of the writing engine, and each read."""
    writer, reader = database.writer.sync_engine, database.reader.sync_engine
    for name, engine in (("write", writer), ("read", reader)):
        _watch_engine(passed, name, engine)
    if database.is_sqlite:
        event.listen(writer, "connect", lambda connection, _: _trace(passed, connection))


def _watch_engine(passed: Passed, name: str, engine: Engine) -> None:
    def before(*_: Any) -> None:
        passed(f"{name}.before_statement")

    def after(*_: Any) -> None:
        passed(f"{name}.after_statement")

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    event.listen(engine, "commit", lambda _: passed(f"{name}.before_commit"))
    event.listen(engine, "rollback", lambda _: passed(f"{name}.before_rollback"))


def _trace(passed: Passed, connection: Any) -> None:
    """Hear of each statement in the connection's own thread, right before SQLite runs it."""

    def hear(statement: str) -> None:
        passed(f"sqlite.{statement.split(maxsplit=1)[0].lower()}")

    connection.run_async(lambda driver: driver.set_trace_callback(hear))


def watch_sends(passed: Passed) -> None:
    """Pass a point before and after each write to a socket: PostgreSQL, SMTP, Redis, brokers, webhooks."""
    transport = vars(asyncio.selector_events)["_SelectorSocketTransport"]
    for name in ("write", "writelines"):
        setattr(transport, name, _between(passed, "send", getattr(transport, name)))


def watch_files(passed: Passed, folder: Path) -> None:
    """Pass a point before each change to a file below `folder`, and around each wait for the disk."""
    within = f"{folder}{os.sep}"

    def hear(what: str, arguments: tuple[Any, ...]) -> None:
        if what == "open" and (arguments[2] or 0) & WRITING and str(arguments[0]).startswith(within):
            passed("file.before_open")
        elif what in {"os.rename", "os.remove", "os.mkdir"} and str(arguments[0]).startswith(within):
            passed(f"file.before_{what[3:]}")

    sys.addaudithook(hear)
    os.fsync = _between(passed, "file.sync", os.fsync)


def _between(passed: Passed, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def watched(*arguments: Any, **named: Any) -> Any:
        passed(f"{name}.before")
        outcome = function(*arguments, **named)
        passed(f"{name}.after")
        return outcome

    return watched


def around_answer(passed: Passed, app: Any) -> Callable[..., Awaitable[None]]:
    """Return the application with a point before and after each part of an answer."""

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def passing(message: Any) -> None:
            passed("answer.before")
            await send(message)
            passed("answer.after")

        await app(scope, receive, passing)

    return watched
