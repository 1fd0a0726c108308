"""Engines: one that reads, one that writes.

SQLite: several readers that cannot write and one writer connection (`BEGIN IMMEDIATE`), which is the queue of all
writers in the process; other processes wait on the file's lock. PostgreSQL: two pools of one URL, reads in
autocommit so that a read costs one round trip.
"""

import math
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from portico.core.settings import DatabaseSettings, Settings
from portico.db.tenancy.models import ORGANIZATION
from portico.db.tenancy.windows import guard

if TYPE_CHECKING:
    from portico.db.trips import Trips

OLDEST_SQLITE = (3, 35)
BUSY_SECONDS = 5
RESTED_SECONDS = 1.0


def database_url(settings: Settings, *, owner: bool = False) -> URL:
    """Return the URL with its async driver; the default is a SQLite file in the data directory.

    Raises:
        ValueError: the URL is neither SQLite nor PostgreSQL.
    """
    chosen = (owner and settings.database.owner_url) or settings.database.url
    if chosen is None:
        path = (settings.data_dir / "portico.db").absolute()
        return URL.create("sqlite+aiosqlite", database=str(path))
    url = make_url(chosen.get_secret_value())
    drivers = {
        "sqlite": "sqlite+aiosqlite",
        "postgresql": "postgresql+asyncpg",
        "postgres": "postgresql+asyncpg",
    }
    backend = url.drivername.split("+")[0]
    if backend not in drivers:
        raise ValueError(f"unknown database {backend!r}: use sqlite:///… or postgresql://…")
    return _as_the_driver_calls_it(url.set(drivername=drivers[backend]))


def _as_the_driver_calls_it(url: URL) -> URL:
    """Return the URL with libpq's `sslmode`, which everybody writes, under asyncpg's name for it."""
    if "sslmode" not in url.query:
        return url
    return url.update_query_dict({"ssl": url.query["sslmode"]}).difference_update_query(["sslmode"])


class Database:
    """The engines of one process. Make it inside the event loop that uses it; `close` it before the loop ends."""

    def __init__(self, url: URL, settings: DatabaseSettings) -> None:
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.path = Path(url.database) if self.is_sqlite and url.database else None
        if self.is_sqlite:
            self.reader, self.writer = _sqlite_engines(url, settings)
            self._tenant_reader = self.reader
        else:
            self.reader, self.writer = _postgres_engines(url, settings)
            self._tenant_reader = _in_transactions(self.reader, self.writer)
        for engine in (self.reader, self.writer):
            guard(engine)
        self.trips = self._trips(settings)
        self.read_sessions = async_sessionmaker(self.reader, expire_on_commit=False, autoflush=False)
        self.write_sessions = async_sessionmaker(self.writer, expire_on_commit=False, autoflush=False)

    @classmethod
    def from_settings(cls, settings: Settings) -> "Database":
        """Open the application's database."""
        return cls(database_url(settings), settings.database)

    def read_session(self, organization_id: UUID | None = None) -> AsyncSession:
        """Return a session that can read: of scoped tables the rows of that organization."""
        if organization_id is None:
            return self.read_sessions()
        return self.read_sessions(bind=_for_organization(self._tenant_reader, organization_id))

    def write_session(self, organization_id: UUID | None = None) -> AsyncSession:
        """Return a session that can write: to scoped tables the rows of that organization."""
        if organization_id is None:
            return self.write_sessions()
        return self.write_sessions(bind=_for_organization(self.writer, organization_id))

    def _trips(self, settings: DatabaseSettings) -> "Trips":
        if self.is_sqlite:
            from portico.db.sqlite_trips import SqliteTrips

            return SqliteTrips(self.writer)
        from portico.db.postgres_trips import PostgresTrips  # its driver is an extra

        return PostgresTrips(self.writer, settings.pool_size + settings.pool_overflow)

    async def close(self) -> None:
        """Close every connection; without it a process on SQLite never ends."""
        await self.reader.dispose()
        await self.writer.dispose()


def _for_organization(engine: AsyncEngine, organization_id: UUID) -> AsyncEngine:
    """Return the engine, with the same pool, whose connections are an organization's."""
    if not isinstance(organization_id, UUID):
        raise TypeError(f"the id of an organization is a UUID, not {type(organization_id).__name__}")
    return engine.execution_options(**{ORGANIZATION: organization_id})


# Parameters are hidden on both: an error's text must not carry addresses or hashes into the log.
def _sqlite_engines(url: URL, settings: DatabaseSettings) -> tuple[AsyncEngine, AsyncEngine]:
    from portico.db.sqlite_driver import OneCallDriver  # not for those who run on PostgreSQL

    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise RuntimeError(f"SQLite {sqlite3.sqlite_version} is too old, 3.35 or newer is needed")
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    common: dict[str, Any] = {
        "poolclass": AsyncAdaptedQueuePool,
        "max_overflow": 0,
        "pool_timeout": settings.pool_timeout.total_seconds(),
        "hide_parameters": True,
        "json_deserializer": from_json,
        "module": OneCallDriver(),
    }
    autocommit = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
    reader = create_async_engine(url, pool_size=settings.readers, **autocommit, **common)
    writer = create_async_engine(url, pool_size=1, **common)
    event.listen(reader.sync_engine, "connect", _prepare_sqlite_reader)
    event.listen(writer.sync_engine, "connect", prepare_sqlite)
    event.listen(writer.sync_engine, "begin", _begin_immediate)
    return reader, writer


def prepare_sqlite(connection: Any, _record: Any) -> None:
    """Set what every SQLite connection needs: durable WAL, foreign keys, patience of five seconds."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """Make the file a WAL file; two processes that do so at once meet a lock that knows no busy timeout."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _prepare_sqlite_reader(connection: Any, record: Any) -> None:
    prepare_sqlite(connection, record)
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only = ON")
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _postgres_engines(url: URL, settings: DatabaseSettings) -> tuple[AsyncEngine, AsyncEngine]:
    from portico.db.postgres_driver import TenantConnection  # its driver is an extra

    milliseconds = int(settings.statement_timeout.total_seconds() * 1000)
    common: dict[str, Any] = {
        "hide_parameters": True,
        "json_deserializer": from_json,
        "pool_size": settings.pool_size,
        "max_overflow": settings.pool_overflow,
        "pool_timeout": settings.pool_timeout.total_seconds(),
        "pool_recycle": settings.pool_recycle.total_seconds(),
        "connect_args": {
            "timeout": BUSY_SECONDS,
            "connection_class": TenantConnection,
            "server_settings": {
                "application_name": "portico",
                "timezone": "UTC",
                "jit": "off",
                "statement_timeout": str(milliseconds),
            },
        },
    }
    reader = create_async_engine(url, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True, **common)
    writer = create_async_engine(url, **common)
    if settings.pool_pre_ping:
        for engine in (reader, writer):
            _ping_rested_connections(engine)
    return reader, writer


def _in_transactions(reader: AsyncEngine, writer: AsyncEngine) -> AsyncEngine:
    """Return the readers' pool with a transaction around reads: there the organization is set, and ends with it."""
    from portico.db.postgres_driver import begin_for_organization

    scoped = reader.execution_options(isolation_level="READ COMMITTED", postgresql_readonly=True)
    for engine in (scoped, writer):
        begin_for_organization(engine)
    return scoped


def _ping_rested_connections(engine: AsyncEngine) -> None:
    """Ask a connection whether it lives before it is used, if it rested; SQLAlchemy's own way asks each time."""
    dialect = engine.sync_engine.dialect

    def checked_in(_connection: Any, record: Any) -> None:
        record.info["rests_since"] = time.monotonic()

    def checked_out(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("rests_since", math.inf) < RESTED_SECONDS:
            return
        try:
            dialect.do_ping(connection)
        except (dialect.loaded_dbapi.Error, OSError) as error:
            raise DisconnectionError from error  # the pool opens another one

    event.listen(engine.sync_engine, "checkin", checked_in)
    event.listen(engine.sync_engine, "checkout", checked_out)
