"""What a request gets when it cannot write in time."""

import asyncio

import pytest
from sqlalchemy import text

from portico.core.errors import Unavailable
from portico.db.errors import DatabaseBusy
from portico.feature import Feature
from portico.runtime import Runtime

pytestmark = pytest.mark.anyio


@pytest.fixture
def features() -> list[Feature]:
    """Need no feature."""
    return []


@pytest.fixture
def settings_overrides() -> dict[str, object]:
    """Wait shortly, and let PostgreSQL have one connection too."""
    return {"database": {"pool_timeout": 0.3, "pool_size": 1, "pool_overflow": 0}}


@pytest.mark.bar("P18", "ASVS-13.1.2")
async def test_second_writer_gets_503_when_no_turn_comes_in_time(runtime: Runtime) -> None:
    async with runtime.unit() as first:
        await first.session.execute(text("SELECT 1"))
        with pytest.raises(DatabaseBusy) as refusal:
            async with asyncio.timeout(2), runtime.unit():
                pass

    assert (refusal.value.status, refusal.value.headers["Retry-After"]) == (503, "1")


@pytest.mark.bar("P23")
async def test_writers_queue_and_all_succeed_when_turns_are_short(runtime: Runtime) -> None:
    done: list[int] = []

    async def write(number: int) -> None:
        async with runtime.unit() as unit:
            await unit.session.execute(text("SELECT 1"))
            done.append(number)

    await asyncio.gather(*(write(number) for number in range(30)))

    assert sorted(done) == list(range(30))


async def test_reads_never_write(runtime: Runtime, database_kind: str) -> None:
    if database_kind != "sqlite":
        pytest.skip("PostgreSQL readers are kept to reading by the code alone")
    with pytest.raises(Exception, match=r"readonly|read-only|attempt to write"):
        async with runtime.reads() as session:
            await session.execute(text("DELETE FROM portico_audit_entries"))


async def test_unreachable_database_is_unavailable(runtime: Runtime) -> None:
    from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

    dead = create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    runtime.database.write_sessions = async_sessionmaker(dead)
    with pytest.raises(Unavailable):
        async with runtime.unit():
            pass
    await dead.dispose()


@pytest.mark.bar("P13")
@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_restart_of_the_server_goes_unnoticed_by_rested_connections(
    runtime: Runtime, database_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portico.db.database.RESTED_SECONDS", 0.0)
    async with runtime.unit() as unit:
        own = (await unit.session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    async with runtime.reads() as session:
        await session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": own})
    await asyncio.sleep(0.1)

    async with runtime.unit() as unit:
        other = (await unit.session.execute(text("SELECT pg_backend_pid()"))).scalar_one()

    assert other != own
