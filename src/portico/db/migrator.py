"""Migrations: one Alembic chain for Portico's tables and one for each feature of the team's that has its own.

Each chain has its own version table and sees only the tables of its owner. A chain runs in one transaction (both
databases have transactional DDL) under a lock, so that several nodes may start at once; within one process run one
at a time, because Alembic's context is a global. On SQLite tables are
rebuilt in batches with foreign keys off, and the file is checked before the commit.
"""

import importlib
import pkgutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from portico.db.base import TABLE_PREFIX, Base
from portico.db.database import prepare_sqlite

LOCK_KEY = 0x706F7274
"""The advisory lock under which chains run on PostgreSQL ("port" in ASCII)."""
PORTICO_CHAIN = "portico.db.migrations"


class SchemaBehind(RuntimeError):
    """The database is not at the newest revision; `portico migrate` brings it there."""


class SchemaAhead(RuntimeError):
    """The database was migrated by a newer release than this one."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A package with `env.py` and `versions/` below its owner's `root`, and the tables that are the owner's."""

    root: str
    package: str
    version_table: str
    owns: Callable[[str], bool]

    def config(self, connection: Connection | None = None) -> Config:
        """Return Alembic's configuration for the chain."""
        config = Config()
        config.set_main_option("script_location", _folder(self.package))
        config.attributes |= {
            "connection": connection,
            "version_table": self.version_table,
            "include_object": self.includes,
        }
        return config

    def import_models(self) -> None:
        """Import every `models` module of the owner's package, so that the metadata is complete."""
        root = importlib.import_module(self.root)
        for module in pkgutil.walk_packages(root.__path__, f"{self.root}."):
            if module.name.endswith(".models"):
                importlib.import_module(module.name)

    def includes(self, item: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:  # noqa: FBT001
        """Tell Alembic's comparison whether a table, column or index belongs to the chain."""
        table = name if kind == "table" else item.table.name
        return table != self.version_table and self.owns(str(table))


def portico_chain() -> Chain:
    """Return the chain of Portico's own tables."""
    return Chain("portico", PORTICO_CHAIN, f"{TABLE_PREFIX}alembic_version", _is_ours)


def team_chain(feature: str, package: str) -> Chain:
    """Return the chain of a team's feature; its tables are those of models below the package's parent."""
    root = package.rsplit(".", 1)[0]

    def owns(table: str) -> bool:
        modules = {m.class_.__module__ for m in Base.registry.mappers if m.local_table.name == table}  # type: ignore[attr-defined]  # every local table of ours is a Table
        return any(module == root or module.startswith(f"{root}.") for module in modules)

    return Chain(root, package, f"{feature}_alembic_version", owns)


def _is_ours(table: str) -> bool:
    return table.startswith(TABLE_PREFIX)


class Migrator:
    """Runs chains on one database, as the role that owns the tables."""

    def __init__(self, url: URL, chains: Sequence[Chain] = ()) -> None:
        self._url = url
        self._chains = list(chains) or [portico_chain()]

    async def upgrade(self, revision: str = "head") -> None:
        """Bring every chain to `revision`; nothing happens where it stands there already."""
        for chain in self._chains:
            await self.run_on(chain, lambda config: command.upgrade(config, revision))

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

    async def run_on(self, chain: Chain, action: Callable[[Config], None]) -> None:
        """Run one of Alembic's commands on one chain, in one transaction, under the lock."""
        async with self._connected() as connection:
            await _lock(connection)
            await connection.run_sync(lambda sync: action(chain.config(sync)))
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


@cache
def _revisions(package: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the newest revisions of a chain and all of them; the files do not change while the process lives."""
    config = Config()
    config.set_main_option("script_location", _folder(package))
    scripts = ScriptDirectory.from_config(config)
    return frozenset(scripts.get_heads()), frozenset(script.revision for script in scripts.walk_revisions())


def _folder(package: str) -> str:
    """Return the folder of a package as Alembic reads it, which opens `%`."""
    module = importlib.import_module(package)
    if module.__file__ is None:
        raise RuntimeError(f"{package} is not a package with files")
    return str(Path(module.__file__).parent).replace("%", "%%")


async def check_chain(connection: AsyncConnection, chain: Chain) -> None:
    """Compare one chain's revision with the newest that this release has.

    Raises:
        SchemaBehind: not migrated yet.
        SchemaAhead: migrated by a newer release.
    """
    current = await connection.run_sync(_current, chain)
    heads, known = _revisions(chain.package)
    unknown = sorted(current - known)
    if unknown:
        raise SchemaAhead(f"the database is at {', '.join(unknown)}, which this release does not know")
    if current != heads:
        found = ", ".join(sorted(current)) or "nothing"
        raise SchemaBehind(f"the database is at {found}: run `portico migrate`")


def _current(connection: Connection, chain: Chain) -> set[str]:
    return set(
        MigrationContext.configure(
            connection, opts={"version_table": chain.version_table}
        ).get_current_heads()
    )


def _differences(connection: Connection, chain: Chain) -> list[Any]:
    options = {"version_table": chain.version_table, "compare_type": True, "include_object": chain.includes}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))


async def _lock(connection: AsyncConnection) -> None:
    """Let one process migrate at a time; SQLite's write lock, taken at BEGIN, does the same."""
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
