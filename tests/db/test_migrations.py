"""Migrations: up, down, no drift, nothing lost, safe from several processes at once, on both databases."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import URL, Engine, event, inspect, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from portico.core.ids import new_id
from portico.core.settings import Settings
from portico.db.chains import SchemaAhead, SchemaBehind
from portico.db.database import database_url
from portico.db.migrator import Migrator
from portico.testing import services

pytestmark = pytest.mark.anyio


@pytest.fixture
def blank(database_kind: str, tmp_path: Path) -> URL:
    """Return the URL of a database without any table."""
    if database_kind == "sqlite":
        return URL.create("sqlite+aiosqlite", database=str(tmp_path / "blank.db"))
    return make_url(services.create_database(f"blank_{new_id().hex[-12:]}")).set(
        drivername="postgresql+asyncpg"
    )


async def tables(url: URL) -> set[str]:
    """Return the names of the tables there."""
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
    await engine.dispose()
    return names


async def test_fresh_database_has_no_drift_from_the_models(blank: URL) -> None:
    migrator = Migrator(blank)
    await migrator.upgrade()

    assert await migrator.drift() == []


async def test_downgrade_takes_everything_away_and_upgrade_brings_it_back(blank: URL) -> None:
    migrator = Migrator(blank)
    await migrator.upgrade()
    full = await tables(blank)
    await migrator.downgrade("base")
    empty = await tables(blank)
    await migrator.upgrade()

    assert (empty, await tables(blank)) == ({"portico_alembic_version"}, full)


async def test_check_tells_a_database_that_is_behind_or_ahead(blank: URL) -> None:
    migrator = Migrator(blank)
    with pytest.raises(SchemaBehind):
        await migrator.check()
    await migrator.upgrade()
    await migrator.check()
    engine = create_async_engine(blank)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE portico_alembic_version SET version_num = '9999'"))
    await engine.dispose()
    with pytest.raises(SchemaAhead):
        await migrator.check()


@pytest.mark.bar("P42")
async def test_several_processes_may_migrate_at_once(blank: URL) -> None:
    code = "import anyio, sys; from sqlalchemy import make_url; from portico.db.migrator import Migrator; "
    code += "anyio.run(Migrator(make_url(sys.argv[1])).upgrade)"
    address = blank.render_as_string(hide_password=False)
    processes = [await asyncio.create_subprocess_exec(sys.executable, "-c", code, address) for _ in range(3)]
    exits = [await process.wait() for process in processes]

    assert exits == [0, 0, 0]
    assert await Migrator(blank).drift() == []


async def test_migration_that_fails_leaves_nothing_of_those_before_it(blank: URL) -> None:
    def fail(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "CREATE TABLE portico_api_keys" in statement:
            raise RuntimeError("planted")

    event.listen(Engine, "before_cursor_execute", fail)
    try:
        with pytest.raises(RuntimeError, match="planted"):
            await Migrator(blank).upgrade()
    finally:
        event.remove(Engine, "before_cursor_execute", fail)

    assert await tables(blank) == set()


async def test_populated_database_loses_no_row_when_a_parent_table_is_rebuilt(blank: URL) -> None:
    """On SQLite a batch rebuild of `portico_users` once deleted the children by ON DELETE CASCADE."""
    await Migrator(blank).upgrade()
    await _populate(blank, people=50)
    before = await _counts(blank)
    await _rebuild_users(blank)

    assert await _counts(blank) == before


async def _populate(url: URL, people: int) -> None:
    engine = create_async_engine(url)
    now = datetime.now(UTC) if url.get_backend_name() != "sqlite" else "2026-01-01 00:00:00"
    async with engine.begin() as connection:
        for number in range(people):
            key = new_id().hex if url.get_backend_name() == "sqlite" else new_id()
            await connection.execute(
                text("INSERT INTO portico_principals (id, kind, created_at) VALUES (:id, 'user', :now)"),
                {"id": key, "now": now},
            )
            await connection.execute(
                text(
                    "INSERT INTO portico_users (id, locale, timezone, status, created_at, updated_at, version)"
                    " VALUES (:id, 'en', 'UTC', 'active', :now, :now, 1)"
                ),
                {"id": key, "now": now},
            )
            await connection.execute(
                text(
                    "INSERT INTO portico_email_addresses"
                    " (id, user_id, address, normal_form, is_primary, created_at, updated_at)"
                    " VALUES (:id, :id, :address, :address, true, :now, :now)"
                ),
                {"id": key, "address": f"p{number}@example.com", "now": now},
            )
    await engine.dispose()


async def _counts(url: URL) -> dict[str, int]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        counts = {
            name: (await connection.execute(text(f"SELECT count(*) FROM {name}"))).scalar_one()
            for name in sorted(await tables(url))
        }
    await engine.dispose()
    return counts


async def _rebuild_users(url: URL) -> None:
    """Change a column of the parent table the way a migration does."""
    import sqlalchemy as sa
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    migrator = Migrator(url)

    def change(connection: sa.Connection) -> None:
        operations = Operations(MigrationContext.configure(connection))
        recreate: Literal["always", "auto"] = "always" if connection.dialect.name == "sqlite" else "auto"
        with operations.batch_alter_table("portico_users", recreate=recreate) as batch:
            batch.alter_column("locale", existing_type=sa.String(16), type_=sa.String(20))

    async with migrator._connected() as connection:
        await connection.run_sync(change)
        await connection.commit()


def test_bare_urls_get_their_async_driver() -> None:
    drivers = [
        database_url(Settings(database={"url": url})).drivername
        for url in ("postgresql://u@h/d", "postgres://u@h/d", "sqlite:////tmp/x.db")
    ]

    assert drivers == ["postgresql+asyncpg", "postgresql+asyncpg", "sqlite+aiosqlite"]


def test_other_databases_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown database"):
        database_url(Settings(database={"url": "mysql://u@h/d"}))
