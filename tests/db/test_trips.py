"""Trips keep the promises of a unit of work: all or nothing, durable before the answer, the same errors."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.util import greenlet_spawn

from portico.core import failpoints
from portico.core.failpoints import Failure
from portico.db.errors import DatabaseAway, DatabaseBusy
from portico.db.trip_connections import TripConnections
from portico.db.trips import Trip
from portico.feature import Feature
from portico.runtime import Runtime
from portico.tokens.models import TokenFamily

pytestmark = pytest.mark.anyio

FAMILY: Any = TokenFamily.__table__
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
_ADD = insert(FAMILY).returning(FAMILY.c.id, FAMILY.c.counter, FAMILY.c.created_at, FAMILY.c.ended_at)
ADD = Trip(postgresql=_ADD, sqlite=[_ADD])

_COUNT = update(FAMILY).values(counter=FAMILY.c.counter + 1)
_FIRST = _COUNT.where(FAMILY.c.id == bindparam("first")).returning(FAMILY.c.session_id)
_OTHER = _COUNT.where(FAMILY.c.id == bindparam("session_id", type_=FAMILY.c.id.type)).returning(
    FAMILY.c.counter
)
_BOTH = select(FAMILY.c.id).where(FAMILY.c.id == bindparam("first")).cte("both")
COUNT_BOTH = Trip(
    postgresql=_COUNT.where(FAMILY.c.id == _BOTH.c.id).returning(FAMILY.c.counter), sqlite=[_FIRST, _OTHER]
)
"""On SQLite: counts on a family and, if there is one, the family that its `session_id` names."""


@pytest.fixture
def features() -> list[Feature]:
    """Need no feature."""
    return []


@pytest.fixture
def settings_overrides() -> dict[str, object]:
    """Wait shortly, and let PostgreSQL have one connection too, whose death nobody finds out before it is used."""
    return {"database": {"pool_timeout": 0.3, "pool_size": 1, "pool_overflow": 0, "pool_pre_ping": False}}


@pytest.fixture(autouse=True)
def _disarmed() -> Any:
    yield
    failpoints.armed.clear()


def family(number: int, points_at: int | None = None) -> dict[str, Any]:
    return {
        "id": UUID(int=number),
        "session_id": UUID(int=points_at) if points_at else None,
        "grant_id": None,
        "client_id": "test",
        "scope": "",
        "key_version": 1,
        "counter": 0,
        "created_at": NOW,
        "rotated_at": NOW,
        "idle_expires_at": NOW,
        "absolute_expires_at": NOW,
        "ended_at": None,
        "ended_reason": None,
    }


async def counters(runtime: Runtime) -> Sequence[int]:
    async with runtime.reads() as session:
        return (await session.scalars(select(FAMILY.c.counter).order_by(FAMILY.c.id))).all()


async def add(runtime: Runtime, number: int, points_at: int | None = None) -> Any:
    return await runtime.database.trips.run(ADD, family(number, points_at))


async def test_trip_commits_and_returns_its_row_in_the_types_of_its_columns(runtime: Runtime) -> None:
    row = await add(runtime, 1)

    assert (row.id, row.counter, row.created_at, row.ended_at) == (UUID(int=1), 0, NOW, None)
    assert await counters(runtime) == [0]


async def test_trip_that_finds_no_row_writes_nothing(runtime: Runtime) -> None:
    if not runtime.database.is_sqlite:
        pytest.skip("on PostgreSQL one statement writes all or nothing by itself")
    await add(runtime, 1, points_at=2)
    await add(runtime, 3, points_at=1)

    lost = await runtime.database.trips.run(COUNT_BOTH, {"first": UUID(int=1)})
    won = await runtime.database.trips.run(COUNT_BOTH, {"first": UUID(int=3)})

    assert won is not None
    assert (lost, won.counter, await counters(runtime)) == (None, 1, [1, 1])


@pytest.mark.bar("P3")
async def test_trip_that_breaks_a_constraint_undoes_itself_and_none_of_its_neighbours(
    runtime: Runtime,
) -> None:
    await add(runtime, 5)

    outcomes = await asyncio.gather(
        *(add(runtime, number) for number in range(1, 10)), return_exceptions=True
    )

    failed = [number for number, outcome in enumerate(outcomes, 1) if isinstance(outcome, IntegrityError)]
    assert failed == [5]
    assert await counters(runtime) == [0] * 9


@pytest.mark.bar("P18", "P23")
async def test_trips_wait_for_their_turn_and_get_503_when_none_comes(runtime: Runtime) -> None:
    async with runtime.unit() as writer:
        await writer.session.execute(text("SELECT 1"))
        outcomes = await asyncio.gather(*(add(runtime, number) for number in (1, 2)), return_exceptions=True)
        late = asyncio.create_task(add(runtime, 3))
        await asyncio.sleep(0.05)

    assert [type(outcome) for outcome in outcomes] == [DatabaseBusy, DatabaseBusy]
    assert (await late).id == UUID(int=3)
    assert await counters(runtime) == [0]


async def test_trip_whose_caller_left_before_its_turn_is_not_made(runtime: Runtime) -> None:
    async with runtime.unit() as writer:
        await writer.session.execute(text("SELECT 1"))
        gone, stays = asyncio.create_task(add(runtime, 1)), asyncio.create_task(add(runtime, 2))
        await asyncio.sleep(0.05)
        gone.cancel()

    assert (await stays).id == UUID(int=2)
    assert await counters(runtime) == [0]


@pytest.mark.bar("P3")
@pytest.mark.parametrize(("point", "written"), [("before", 0), ("after", 1)])
async def test_failure_before_writes_nothing_and_failure_behind_leaves_what_was_committed(
    runtime: Runtime, point: str, written: int
) -> None:
    failpoints.armed[f"db.trip.{point}_commit"] = failpoints.raising()

    with pytest.raises(Failure):
        await add(runtime, 1)

    assert len(await counters(runtime)) == written


@pytest.mark.bar("P18")
async def test_trip_on_a_connection_that_died_is_503_and_the_next_one_is_well(runtime: Runtime) -> None:
    if runtime.database.is_sqlite:
        pytest.skip("a file does not hang up")
    await add(runtime, 1)
    async with runtime.reads() as session:
        own = select(func.pg_backend_pid())
        others = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> :own"
        )
        await session.execute(others, {"own": await session.scalar(own)})

    with pytest.raises(DatabaseAway):
        await add(runtime, 2)

    assert (await add(runtime, 3)).id == UUID(int=3)


class TestBeyondThePool:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, object]:
        """Have PostgreSQL open connections that it does not keep."""
        return {"database": {"pool_size": 1, "pool_overflow": 3}}

    async def test_connections_on_top_of_the_pool_are_closed(self, runtime: Runtime) -> None:
        await asyncio.gather(*(add(runtime, number) for number in range(1, 9)))

        assert await counters(runtime) == [0] * 8
        assert (pool_of(runtime).checkedout(), pool_of(runtime).overflow()) == (0, 0)


class TestHandedOn:
    """On PostgreSQL trips hand their connections on while the pool has none left."""

    @pytest.fixture
    def database_kind(self) -> str:
        return "postgresql"

    @pytest.fixture
    def settings_overrides(self) -> dict[str, object]:
        return {"database": {"pool_size": 2, "pool_timeout": 5}}

    async def test_many_trips_on_few_connections_are_all_made_and_units_beside_them(
        self, runtime: Runtime
    ) -> None:
        async def unit() -> None:
            async with runtime.unit() as writer:
                await writer.session.execute(text("SELECT 1"))

        trips = [add(runtime, number) for number in range(1, 201)]
        await asyncio.wait_for(asyncio.gather(*trips, *(unit() for _ in range(20))), 30)

        assert await counters(runtime) == [0] * 200
        assert pool_of(runtime).checkedout() == 0

    async def test_what_is_handed_to_a_caller_who_has_just_left_goes_to_the_next(
        self, runtime: Runtime
    ) -> None:
        kept = TripConnections(runtime.database.writer, 2)
        taken = [await kept.take(), await kept.take()]
        gone, stays = asyncio.create_task(kept.take()), asyncio.create_task(kept.take())
        await asyncio.sleep(0)
        await kept.give_back(taken[0])
        gone.cancel()

        assert await stays is taken[0]
        assert gone.cancelled()
        await asyncio.gather(kept.give_back(taken[0]), kept.give_back(taken[1]))
        assert pool_of(runtime).checkedout() == 0

    async def test_some_go_back_to_the_pool_where_units_wait(self, runtime: Runtime) -> None:
        kept, made, under_way = TripConnections(runtime.database.writer, 2), [], asyncio.Event()

        async def busy() -> None:
            for number in range(100):
                connection = await kept.take()
                await asyncio.sleep(0)
                await kept.give_back(connection)
                made.append(number)
                if len(made) == 20:
                    under_way.set()

        trips = asyncio.gather(*(busy() for _ in range(6)))
        await under_way.wait()
        unit = await runtime.database.writer.raw_connection()

        assert len(made) < 100
        await greenlet_spawn(unit.close)
        await trips
        assert pool_of(runtime).checkedout() == 0

    async def test_nobody_waits_long_for_a_neighbour_that_is_stuck(self, runtime: Runtime) -> None:
        kept = TripConnections(runtime.database.writer, 2)
        stuck = await kept.take()
        unit = await runtime.database.writer.raw_connection()
        waits = asyncio.create_task(kept.take())
        await asyncio.sleep(0)
        await greenlet_spawn(unit.close)

        free = await asyncio.wait_for(waits, 2)

        assert free is not stuck
        await asyncio.gather(kept.give_back(stuck), kept.give_back(free))


def pool_of(runtime: Runtime) -> Any:
    return runtime.database.writer.pool
