"""The unit of work: at most one write transaction a request or job, committed before anything is answered.

A service opens its `Unit` around the writes (`async with unit:`); opening it again inside joins the same
transaction, and only the outermost exit commits. An error rolls back, unless it carries `persist=True`: then what
was written is committed and the error goes on. What must follow the commit (waking a relay, waiting until a
revocation is heard everywhere) is given to `after_commit` and never runs for something that was rolled back.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from sqlite3 import SQLITE_BUSY, SQLITE_FULL, SQLITE_IOERR, SQLITE_LOCKED
from types import TracebackType
from typing import Self
from uuid import UUID

from sqlalchemy.exc import DBAPIError, InterfaceError, TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from portico.core import failpoints
from portico.core.errors import PorticoError
from portico.core.ids import OrganizationId
from portico.db.database import Database
from portico.db.errors import DatabaseAway, DatabaseBusy, DatabaseFull, EditConflict

DatabaseSession = AsyncSession
"""The session that repositories are given; services hand it on and never write SQL with it."""

LOST_RACES = frozenset({"40001", "40P01"})
"""SQLSTATEs of a transaction that was rolled back for another's sake (serialization, deadlock): worth another try."""

DISK_FULL = "53100"

type Hook = Callable[[], Awaitable[None]]


class Unit:
    """One write transaction, opened on first use, committed once.

    With an `organization_id` it may also read and write that organization's rows of scoped tables.
    """

    def __init__(self, database: Database, organization_id: UUID | None = None) -> None:
        self._database = database
        self._organization_id = organization_id
        self._session: AsyncSession | None = None
        self._depth = 0
        self._held = False
        self._finished = False
        self._before_commit: list[Hook] = []
        self._around_savepoints: list[tuple[Hook, Callable[[], None]]] = []
        self._after_commit: list[Hook] = []
        self.attached: dict[type, object] = {}
        """What higher floors keep for the life of this unit, by its class; not in a table of their own beside it, where
        a value that knows its unit would keep both for ever."""

    @property
    def session(self) -> AsyncSession:
        """Return the session of the open transaction.

        Raises:
            RuntimeError: the unit is not open.
        """
        if self._session is None:
            raise RuntimeError("the unit of work is not open: write inside `async with unit:`")
        return self._session

    @property
    def is_open(self) -> bool:
        """Tell whether a transaction is under way."""
        return self._session is not None

    @property
    def is_untouched(self) -> bool:
        """Tell whether nothing was opened, and nobody waits to add to the commit: what is done elsewhere is alone."""
        return self._session is None and not self._held and not self._finished

    @property
    def organization_id(self) -> OrganizationId | None:
        """Return whose rows of scoped tables it may touch."""
        return None if self._organization_id is None else OrganizationId(self._organization_id)

    def scope_to(self, organization_id: UUID) -> None:
        """Let it touch that organization's rows of scoped tables, from its opening to its end.

        Raises:
            RuntimeError: it is open or finished, or is another organization's.
        """
        if self._organization_id == organization_id:
            return
        if self._organization_id is not None or self._session is not None or self._finished:
            raise RuntimeError("a unit of work belongs to one organization, said before it is opened")
        self._organization_id = organization_id

    def before_commit(self, hook: Hook) -> None:
        """Run `hook` as the last thing inside the transaction; what it raises rolls back."""
        self._before_commit.append(hook)

    def around_savepoints(self, write: Hook, drop: Callable[[], None]) -> None:
        """Write what waits for the commit where a savepoint begins and ends, and drop it where one is undone."""
        self._around_savepoints.append((write, drop))

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Undo only what the block wrote if it raises; events and jobs count as written by the block they are made in.

        Use it instead of the session's `begin_nested`, which knows nothing of them.
        """
        await self.settle()
        try:
            async with self.session.begin_nested():
                yield
                await self.settle()
        except BaseException:
            for _, drop in self._around_savepoints:
                drop()
            raise

    async def settle(self) -> None:
        """Write now what waits for the commit: changed rows, events, jobs."""
        await self.session.flush()
        for write, _ in self._around_savepoints:
            await write()

    def after_commit(self, hook: Hook) -> None:
        """Run `hook` once the commit is durable, with no connection held."""
        self._after_commit.append(hook)

    def hold(self) -> None:
        """Leave the commit to `finish`, so that the answer is stored in the same transaction (Idempotency-Key)."""
        self._held = True

    async def __aenter__(self) -> Self:
        if self._finished:
            raise RuntimeError("the unit of work is finished: one write transaction a request")
        if self._session is None:
            self._session = await _begin(self._database.write_session(self._organization_id))
        self._depth += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth > 0:
            return
        if error is not None and not (isinstance(error, PorticoError) and error.persist):
            await self.abandon()
            _raise_if_translated(error)
            return
        if self._held and error is None:
            return
        await self.finish()

    async def finish(self) -> None:
        """Commit what is open, then run what was to follow; nothing if nothing was opened."""
        session, self._session = self._session, None
        if session is None:
            return
        self._finished = True
        self._session = session
        try:
            await self._commit(session)
        except BaseException as error:
            await _quietly_rolled_back(session)
            _raise_if_translated(error)
            raise
        finally:
            self._session = None
            await session.close()
        for hook in self._after_commit:
            await hook()
        self._forget()

    def _forget(self) -> None:
        """Let go of the hooks, which know this unit: without the circle it is freed at once."""
        self._before_commit, self._around_savepoints, self._after_commit = [], [], []
        self.attached = {}

    async def _commit(self, session: AsyncSession) -> None:
        await session.flush()
        for hook in self._before_commit:
            await hook()
        if failpoints.armed:
            await failpoints.reach("db.unit.before_commit")
        await session.commit()
        if failpoints.armed:
            await failpoints.reach("db.unit.after_commit")

    async def abandon(self) -> None:
        """Roll back what is open; nothing if nothing was opened."""
        session, self._session = self._session, None
        if session is None:
            return
        self._finished = True
        self._forget()
        await _quietly_rolled_back(session)
        await session.close()


class Reads:
    """Short reads on their own pool; nothing is held between two of them."""

    def __init__(self, database: Database, organization_id: UUID | None = None) -> None:
        self._database = database
        self._organization_id = organization_id

    @asynccontextmanager
    async def __call__(self, organization_id: UUID | None = None) -> AsyncIterator[AsyncSession]:
        """Lend a session that can read and not write, of scoped tables the rows of that organization.

        Raises:
            DatabaseBusy: no connection came free in time (503).
            DatabaseAway: the database cannot be reached (503).
        """
        try:
            async with self._database.read_session(organization_id or self._organization_id) as session:
                yield session
        except (PoolTimeout, DBAPIError, OSError) as error:
            _raise_if_translated(error)
            raise


async def _begin(session: AsyncSession) -> AsyncSession:
    try:
        await session.begin()
        await session.connection()
    except BaseException as error:
        await session.close()
        _raise_if_translated(error)
        raise
    return session


async def _quietly_rolled_back(session: AsyncSession) -> None:
    try:
        await session.rollback()
    except (DBAPIError, OSError):
        await session.invalidate()


def _raise_if_translated(error: BaseException) -> None:
    known = translated(error)
    if known is not error:
        raise known from error


def translated(error: BaseException) -> BaseException:
    """Return the product's error for one of the driver's, or the error itself."""
    if isinstance(error, PoolTimeout):
        return DatabaseBusy()
    if isinstance(error, StaleDataError):
        return EditConflict()
    if isinstance(error, OSError):
        return DatabaseAway()
    return _of_driver(error) if isinstance(error, DBAPIError) else error


def _of_driver(error: DBAPIError) -> BaseException:
    state, sqlite_code = _state_of(error), _sqlite_code(error)
    if "no such savepoint" in str(error.orig):
        # SQLite has rolled everything back by itself, for what failed before.
        return translated(error.__context__ or DatabaseAway())
    if sqlite_code in {SQLITE_BUSY, SQLITE_LOCKED} or state in LOST_RACES:
        return DatabaseBusy()
    if sqlite_code == SQLITE_FULL or state == DISK_FULL:
        return DatabaseFull()
    return DatabaseAway() if _is_away(error) else error


def _is_away(error: DBAPIError) -> bool:
    """Tell a lost or refused connection, or a failing disk, from a wrong statement.

    SQLSTATE classes 08, 53, 57P and 58, and 25006 of a primary that was demoted; SQLite's I/O errors; OS errors.
    """
    if error.connection_invalidated or isinstance(error, InterfaceError) or isinstance(error.orig, OSError):
        return True
    if _sqlite_code(error) == SQLITE_IOERR:
        return True
    state = _state_of(error)
    return state.startswith(("08", "53", "57P", "58")) or state == "25006"


def _sqlite_code(error: DBAPIError) -> int:
    """Return SQLite's primary result code; 0 for other databases."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF


def _state_of(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""
