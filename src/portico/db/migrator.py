"""Runs migration chains (`portico.db.chains`) with Alembic, which only commands and tests need to load.

A chain runs in one transaction (both databases have transactional DDL) under a lock, so that several nodes may start
at once; within one process run one at a time, because Alembic's context is a global. On SQLite tables are rebuilt in
batches with foreign keys off, and the file is checked before the commit.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import URL, Connection, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from portico.db.base import Base
from portico.db.chains import Chain, check_chain, folder_of, portico_chain
from portico.db.database import prepare_sqlite
from portico.db.privileges import grant_privileges
from portico.db.tenancy.errors import TablesOpen
from portico.db.tenancy.policies import open_tables

LOCK_KEY = 0x706F7274
"""The advisory lock under which chains run on PostgreSQL ("port" in ASCII)."""


def configuration(chain: Chain, connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for a chain; in its options `%` opens an interpolation."""
    config = Config()
    config.set_main_option("script_location", str(folder_of(chain.package)).replace("%", "%%"))
    config.attributes |= {
        "connection": connection,
        "version_table": chain.version_table,
        "include_object": chain.includes,
    }
    return config


class Migrator:
    """Runs chains on one database, as the role that owns the tables.

    `application_role` is the role that serves, where it is another one: it is granted what it needs and no more.
    """

    def __init__(self, url: URL, chains: Sequence[Chain] = (), application_role: str | None = None) -> None:
        self._url = url
        self._chains = list(chains) or [portico_chain()]
        self._application_role = application_role

    async def upgrade(self, revision: str = "head") -> None:
        """Bring every chain to `revision`; nothing happens where it stands there already.

        Raises:
            TablesOpen: a chain at its newest revision would leave scoped tables without row level security.
        """
        for chain in self._chains:
            await self.run_on(
                chain,
                lambda config: command.upgrade(config, revision),
                _refuse_open_tables if revision == "head" else None,
            )

    async def downgrade(self, revision: str, chain: Chain | None = None) -> None:
        """Take one chain (by default the last) down to `revision` (`base` takes all away)."""
        await self.run_on(chain or self._chains[-1], lambda config: command.downgrade(config, revision))

    async def stamp(self, revision: str = "head") -> None:
        """Note a revision as reached without running anything."""
        for chain in self._chains:
            await self.run_on(chain, lambda config: command.stamp(config, revision))

    async def check(self) -> None:
        """Make sure that the schema fits this release.

        Raises:
            SchemaBehind: a chain is not at its newest revision.
            SchemaAhead: a chain stands at a revision that this release does not know.
        """
        async with self._connected() as connection:
            for chain in self._chains:
                await check_chain(connection, chain)

    async def drift(self) -> list[Any]:
        """Return the differences between models and schema, as Alembic's operations; empty when there are none."""
        found: list[Any] = []
        for chain in self._chains:
            chain.import_models()
        async with self._connected() as connection:
            for chain in self._chains:
                found += await connection.run_sync(_differences, chain)
        return found

    async def run_on(
        self,
        chain: Chain,
        action: Callable[[Config], None],
        check: Callable[[Connection, Chain], None] | None = None,
    ) -> None:
        """Run one of Alembic's commands on one chain, in one transaction, under the lock; `check` may refuse it."""
        async with self._connected() as connection:
            await _lock(connection)
            await connection.run_sync(lambda sync: action(configuration(chain, sync)))
            if check is not None:
                await connection.run_sync(check, chain)
            if self._application_role is not None:
                await connection.run_sync(grant_privileges, self._application_role, self._chains)
            await _check_foreign_keys(connection)
            await connection.commit()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        if self._url.get_backend_name() == "sqlite" and self._url.database:
            Path(self._url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(self._url, poolclass=NullPool)
        _prepare(engine)
        try:
            async with engine.connect() as connection:
                yield connection
        finally:
            await engine.dispose()


def _differences(connection: Connection, chain: Chain) -> list[Any]:
    options = {"version_table": chain.version_table, "compare_type": True, "include_object": chain.includes}
    found = list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))
    return found + [("open_table", name) for name in open_tables(connection) if chain.owns(name)]


def _refuse_open_tables(connection: Connection, chain: Chain) -> None:
    if connection.dialect.name != "postgresql":
        return
    chain.import_models()
    names = [name for name in open_tables(connection) if chain.owns(name)]
    if names:
        raise TablesOpen(names)


async def _lock(connection: AsyncConnection) -> None:
    """Begin, and let one process migrate at a time; SQLite's write lock, taken at BEGIN, does the same.

    Outside of a transaction that has begun Alembic would commit each migration by itself on SQLite, and another process
    that comes between two of them would make what this one is about to make.
    """
    await connection.begin()
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})


async def _check_foreign_keys(connection: AsyncConnection) -> None:
    if connection.dialect.name != "sqlite":
        return
    broken = (await connection.exec_driver_sql("PRAGMA foreign_key_check")).all()
    if broken:
        raise RuntimeError(
            f"the migration would leave {len(broken)} rows without their parent: nothing was changed"
        )


def _prepare(engine: AsyncEngine) -> None:
    if engine.dialect.name != "sqlite":
        return

    def connected(connection: Any, record: Any) -> None:
        prepare_sqlite(connection, record)
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout = 30000")
        # With foreign keys on, rebuilding a parent table deletes its children by ON DELETE CASCADE.
        cursor.execute("PRAGMA foreign_keys = OFF")
        cursor.close()

    event.listen(engine.sync_engine, "connect", connected)
    event.listen(
        engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE")
    )
