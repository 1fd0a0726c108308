"""Round all of Portico, by the driver, on PostgreSQL: there the second wall stands alone."""
# ruff: noqa: S608 - the name is that of the table under test

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import URL

from portico.core.ids import OrganizationId
from portico.db.privileges import look_at_role
from portico.db.tenancy.policies import SETTING
from portico.testing.isolation.scenes import OWN_ROWS, Scene


async def ways_around(scene: Scene) -> AsyncIterator[str]:
    """Yield what row level security lets through; nothing on SQLite, which has none."""
    if scene.runtime.database.is_sqlite:
        return
    async with scene.runtime.database.reader.connect() as connection:
        role = await look_at_role(connection)
    if role.is_superuser or role.bypasses_rls:
        yield f"the tests run as {role.name}, whom row level security does not bind"
        return
    table = scene.runtime.database.reader.dialect.identifier_preparer.quote(scene.table.name)
    async for fault in _without_organization(scene, table):
        yield fault
    async for fault in _inside(scene, table):
        yield fault


async def _without_organization(scene: Scene, table: str) -> AsyncIterator[str]:
    async with _connected(scene.runtime.database.url) as connection:
        for how, setting in (
            ("without an organization", "SELECT 1"),
            ("with an empty one", f"SET {SETTING} = ''"),
        ):
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(setting)
            if seen := await connection.fetchval(f"SELECT count(*) FROM {table}"):
                yield f"the driver {how}: sees {seen} rows"
            if not await _is_refused(connection, *_insert(table, scene.own)):
                yield f"the driver {how}: adds a row"
            if changed := _rows(await connection.execute(f"DELETE FROM {table}")):
                yield f"the driver {how}: deletes {changed} rows"
            await transaction.rollback()


async def _inside(scene: Scene, table: str) -> AsyncIterator[str]:
    async with _connected(scene.runtime.database.url) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(f"SET LOCAL {SETTING} = '{scene.own}'")
        seen = await connection.fetchval(f"SELECT count(*) FROM {table}")
        if seen != OWN_ROWS:
            yield f"the driver: sees {seen} rows instead of {OWN_ROWS}"
        if foreign := await connection.fetchval(
            f"SELECT count(*) FROM {table} WHERE organization_id = $1", scene.foreign
        ):
            yield f"the driver: sees {foreign} foreign rows"
        changed = _rows(await connection.execute(f"UPDATE {table} SET organization_id = organization_id"))
        if changed != OWN_ROWS:
            yield f"the driver: updates {changed} rows instead of {OWN_ROWS}"
        if not await _is_refused(connection, f"UPDATE {table} SET organization_id = $1", scene.foreign):
            yield "the driver: moves rows to the other organization"
        if not await _is_refused(connection, *_insert(table, scene.foreign)):
            yield "the driver: adds a row to the other organization"
        deleted = _rows(await connection.execute(f"DELETE FROM {table}"))
        if deleted != OWN_ROWS:
            yield f"the driver: deletes {deleted} rows instead of {OWN_ROWS}"
        await transaction.rollback()
        if left := await connection.fetchval(f"SELECT count(*) FROM {table}"):
            yield f"the driver: sees {left} rows after its transaction"


def _insert(table: str, organization_id: OrganizationId) -> tuple[Any, ...]:
    """Return an INSERT that row level security must refuse before any constraint is looked at."""
    return (f"INSERT INTO {table} (organization_id) VALUES ($1)", organization_id)


async def _is_refused(connection: Any, statement: str, *arguments: Any) -> bool:
    import asyncpg

    savepoint = connection.transaction()
    await savepoint.start()
    try:
        await connection.execute(statement, *arguments)
    except asyncpg.InsufficientPrivilegeError:
        return True
    except asyncpg.IntegrityConstraintViolationError:
        return False  # it got as far as to the constraints
    else:
        return False
    finally:
        await savepoint.rollback()


def _rows(status: str) -> int:
    return int(status.rpartition(" ")[2])


@asynccontextmanager
async def _connected(url: URL) -> AsyncIterator[Any]:
    import asyncpg

    address = url.set(drivername="postgresql").difference_update_query(["ssl"])
    connection = await asyncpg.connect(address.render_as_string(hide_password=False))
    try:
        yield connection
    finally:
        await connection.close()
