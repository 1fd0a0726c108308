"""The role that serves may read and write rows and nothing else, and the whole server works with that."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import httpx2
import pytest

from portico.app import default_features
from portico.composition import compose, migrator_of, opened
from portico.core.ids import new_id
from portico.core.settings import Settings
from portico.db.database import Database
from portico.db.privileges import application_role, look_at_role
from portico.feature import Feature
from portico.runtime import Runtime
from portico.testing import services
from portico.testing.people import People
from portico.testing.services.databases import with_database

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def features() -> Sequence[Feature]:
    return [*default_features(), Feature(name="notebook", migrations="tests.db.notebook.migrations")]


@pytest.fixture
def blank() -> Iterator[str]:
    """Return the name of a database without tables that belongs to the owner."""
    name, roles = f"blank_{new_id().hex[-12:]}", services.database_roles()
    services.create_database(name, owner=roles.owner)
    yield name
    services.drop_database(name)


@pytest.fixture
def settings(settings: Settings, blank: str) -> Settings:
    """Return settings with two roles on the blank database."""
    roles, url = services.database_roles(), with_database(services.postgres_url(), blank)
    database = {
        "url": services.as_role(url, roles.application),
        "owner_url": services.as_role(url, roles.owner),
    }
    return settings.changed(database=database)


@pytest.fixture
async def runtime(settings: Settings, features: Sequence[Feature]) -> AsyncIterator[Runtime]:
    await migrator_of(settings, features).upgrade()
    async with opened(compose(settings, features)) as runtime:
        yield runtime


@pytest.mark.bar("ASVS-13.2.2")
async def test_the_server_works_as_a_role_that_owns_nothing(
    client: httpx2.AsyncClient, people: People, runtime: Runtime
) -> None:
    ada = await people.sign_up("ada@example.com")
    refreshed = await client.post("/api/v1/auth/refresh", json={"refresh_token": ada.refresh_token})
    async with runtime.database.reader.connect() as connection:
        role = await look_at_role(connection)

    assert refreshed.status_code == 200, refreshed.text
    assert (role.name, role.excess) == (services.database_roles().application, None)


BEYOND = {
    "create": "CREATE TABLE mine (id integer)",
    "create schema": "CREATE SCHEMA mine",
    "drop": "DROP TABLE portico_users",
    "alter": "ALTER TABLE portico_users ADD COLUMN mine integer",
    "truncate": "TRUNCATE portico_users CASCADE",
    "trigger": "CREATE TRIGGER mine BEFORE INSERT ON portico_users EXECUTE FUNCTION pg_backend_pid()",
    "references": "CREATE TABLE mine (id uuid REFERENCES portico_users)",
    "policy": "CREATE POLICY mine ON portico_users USING (true)",
    "no row security": "ALTER TABLE portico_users DISABLE ROW LEVEL SECURITY",
    "become the owner": f"SET ROLE {services.OWNER}",
    "rewind": "SELECT setval('portico_revocations_seq_seq', 1)",
    "version": "UPDATE portico_alembic_version SET version_num = '0000'",
    "new version": "INSERT INTO notebook_alembic_version VALUES ('0000')",
    "change what is append-only": "UPDATE test_stamps SET text = 'other'",
    "delete what is append-only": "DELETE FROM test_stamps",
}


@pytest.mark.bar("ASVS-13.2.2")
async def test_the_application_is_refused_everything_else(runtime: Runtime) -> None:
    async with connected(runtime.settings) as connection:
        await connection.execute("INSERT INTO test_stamps VALUES (gen_random_uuid(), 'one')")
        accepted = [name for name, statement in BEYOND.items() if not await is_refused(connection, statement)]

    assert accepted == []


async def test_privileges_that_somebody_added_are_taken_away_at_the_next_migration(
    runtime: Runtime, features: Sequence[Feature]
) -> None:
    roles = services.database_roles()
    async with connected(runtime.settings, owner=True) as connection:
        await connection.execute(f"GRANT ALL ON test_stamps, portico_users TO {roles.application}")
        await connection.execute(f"GRANT CREATE ON SCHEMA public TO {roles.application}")
    await migrator_of(runtime.settings, features).upgrade()
    async with connected(runtime.settings) as connection:
        accepted = [name for name, statement in BEYOND.items() if not await is_refused(connection, statement)]

    assert accepted == []


async def test_tables_that_no_chain_knows_can_be_written_and_not_changed(runtime: Runtime) -> None:
    async with connected(runtime.settings, owner=True) as connection:
        await connection.execute("CREATE TABLE made_by_hand (id integer)")
    async with connected(runtime.settings) as connection:
        await connection.execute("INSERT INTO made_by_hand VALUES (1)")

        assert await is_refused(connection, "TRUNCATE made_by_hand")


async def test_one_role_for_both_is_granted_nothing(settings: Settings) -> None:
    same = settings.changed(database={"url": settings.database.owner_url})

    assert application_role(settings) == services.database_roles().application
    assert application_role(same) is None
    assert application_role(Settings(database={"url": "sqlite:///x.db"})) is None


async def test_a_superuser_or_an_owner_is_told_apart(runtime: Runtime) -> None:
    name = runtime.database.url.database or ""
    roles = services.database_roles()
    superuser = with_database(services.postgres_url(), name)
    found = [await excess_of(url) for url in (superuser, services.as_role(superuser, roles.owner))]

    assert found[0] == "is a superuser"
    assert str(found[1]).startswith("owns ")


async def excess_of(url: str) -> str | None:
    """Return what the role of a URL may do too much."""
    settings = Settings(database={"url": url})
    database = Database.from_settings(settings)
    try:
        async with database.reader.connect() as connection:
            return (await look_at_role(connection)).excess
    finally:
        await database.close()


@asynccontextmanager
async def connected(settings: Settings, *, owner: bool = False) -> AsyncIterator[asyncpg.Connection]:
    """Lend a connection round everything of ours, as the application or as the owner."""
    url = settings.database.owner_url if owner else settings.database.url
    assert url is not None
    connection = await asyncpg.connect(url.get_secret_value())
    try:
        yield connection
    finally:
        await connection.close()


async def is_refused(connection: asyncpg.Connection, statement: str) -> bool:
    """Tell whether the role may not do it; what it may do is undone."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return True
    else:
        return False
    finally:
        await transaction.rollback()
