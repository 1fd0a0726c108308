"""The revocation log as one process sees it, on both databases; several processes are in test_processes.py."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import QueuePool, text

from portico.coordination.lifespan import coordination_lifespan
from portico.coordination.postgres_follower import TRUST_SECONDS
from portico.coordination.revocations import EVERYTHING, RevocationLog
from portico.core.errors import PorticoError
from portico.core.settings import Settings
from portico.db.database import Database
from portico.feature import Feature
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.services import Postgres

pytestmark = pytest.mark.anyio

only_postgres = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)

type Opens = Callable[..., AbstractAsyncContextManager[RevocationLog]]


class Refused(PorticoError):
    persist = True


@pytest.fixture
def features() -> Sequence[Feature]:
    return ()


@pytest.fixture
def log(runtime: Runtime) -> RevocationLog:
    return runtime.get(RevocationLog)


@pytest.fixture
def heard(log: RevocationLog) -> list[str]:
    subjects: list[str] = []
    log.subscribe(subjects.extend)
    return subjects


@pytest.fixture
def another(settings: Settings, runtime: Runtime, clock: FrozenClock) -> Opens:
    """Open the same database once more, as another process would."""

    @asynccontextmanager
    async def opens(*, follows: bool = True) -> AsyncIterator[RevocationLog]:
        database = Database.from_settings(settings)
        other = Runtime(settings=settings, secret=runtime.secret, database=database, clock=clock)
        try:
            async with coordination_lifespan(other, follows=follows):
                yield other.get(RevocationLog)
        finally:
            await database.close()

    return opens


async def revoke(log: RevocationLog, *subjects: str) -> None:
    unit = log._runtime.unit()
    async with unit:
        await log.append(unit, subjects)


async def rows(runtime: Runtime, statement: str, **values: Any) -> list[Any]:
    async with runtime.reads() as session:
        return list(await session.execute(text(statement), values))


async def write(runtime: Runtime, statement: str, **values: Any) -> None:
    async with (unit := runtime.unit()):
        await unit.session.execute(text(statement), values)


def connections_in_use(runtime: Runtime) -> int:
    pools = [runtime.database.writer.pool, runtime.database.reader.pool]
    return sum(pool.checkedout() for pool in pools if isinstance(pool, QueuePool))


async def until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - what is waited for knows nothing of tests
            await asyncio.sleep(0.005)


async def test_subjects_are_heard_here_once_with_the_commit(
    log: RevocationLog, heard: list[str], runtime: Runtime
) -> None:
    async with (unit := runtime.unit()):
        await log.append(unit, ["session:1", "user:1"])
        await log.append(unit, ["session:1", "session:2"])
        before = [*heard]

    log.trusted()
    assert before == []
    assert heard == ["session:1", "user:1", "session:2"]
    assert [
        tuple(row) for row in await rows(runtime, "SELECT seq, subject FROM portico_revocations ORDER BY seq")
    ] == [
        (1, "session:1"),
        (2, "user:1"),
        (3, "session:2"),
    ]


async def test_nothing_is_revoked_when_the_unit_is_rolled_back(
    log: RevocationLog, heard: list[str], runtime: Runtime
) -> None:
    unit = runtime.unit()
    with pytest.raises(ZeroDivisionError):
        async with unit:
            await log.append(unit, ["user:1"])
            _ = 1 / 0

    assert heard == []
    assert await rows(runtime, "SELECT * FROM portico_revocations") == []


async def test_kept_refusal_revokes(log: RevocationLog, heard: list[str], runtime: Runtime) -> None:
    unit = runtime.unit()
    with pytest.raises(Refused):
        async with unit:
            await log.append(unit, ["session:1"])
            raise Refused

    assert heard == ["session:1"]


async def test_append_needs_an_open_unit(log: RevocationLog, runtime: Runtime) -> None:
    with pytest.raises(RuntimeError, match="async with unit"):
        await log.append(runtime.unit(), ["session:1"])


async def test_nothing_is_written_for_no_subjects(log: RevocationLog, runtime: Runtime) -> None:
    await revoke(log)

    assert await rows(runtime, "SELECT * FROM portico_revocations") == []


async def test_caches_are_trusted_while_the_log_is_followed(another: Opens, runtime: Runtime) -> None:
    async with another() as log:
        during = log.trusted()

    assert during
    assert not log.trusted()
    assert await rows(runtime, "SELECT count(*) FROM portico_workers WHERE description NOT LIKE '%pid%'") == [
        (0,)
    ]


@pytest.mark.bar("P6", "P34", "ASVS-7.4.1", "GHSA-x883-2vmg-xwf7")
async def test_other_process_has_heard_when_the_unit_is_left(log: RevocationLog, another: Opens) -> None:
    async with another() as other:
        heard: list[str] = []
        other.subscribe(heard.extend)
        for number in range(20):
            subject = f"user:{number}"
            await revoke(log, subject)

            assert not other.trusted() or heard[-1] == subject  # SQLite reads when it is asked


async def test_epoch_rises_before_a_subscriber_hears(log: RevocationLog) -> None:
    seen: list[int] = []
    log.subscribe(lambda _: seen.append(log.epoch))
    before = log.epoch
    await revoke(log, "user:1")

    assert seen == [before + 1]


async def test_every_subscriber_hears_even_if_one_fails(log: RevocationLog) -> None:
    heard: list[str] = []

    def fail(subjects: Sequence[str]) -> None:
        raise LookupError(*subjects)

    log.subscribe(fail)
    log.subscribe(heard.extend)
    with pytest.raises(ExceptionGroup, match="could not forget"):
        await revoke(log, "user:1")

    assert heard == ["user:1"]


async def test_what_a_cache_failed_to_forget_it_is_told_again(log: RevocationLog, another: Opens) -> None:
    async with another() as other:
        heard: list[str] = []

        def forget_at_the_second_try(subjects: Sequence[str]) -> None:
            heard.extend(subjects)
            if len(heard) == 1:
                raise LookupError

        other.subscribe(forget_at_the_second_try)
        await revoke(log, "user:1")
        with suppress(ExceptionGroup):
            other.trusted()  # SQLite: hears and fails right here; PostgreSQL: has heard and failed meanwhile

        assert other.trusted()
        assert heard == ["user:1", "user:1"]


async def test_process_without_lifespan_appends_and_trusts_nothing(
    log: RevocationLog, heard: list[str], another: Opens
) -> None:
    async with another(follows=False) as command:
        started = time.monotonic()
        await revoke(command, "user:1")

        assert log.trusted()
        assert heard == ["user:1"]
        assert not command.trusted()
        assert time.monotonic() - started < 0.9  # woken, not found at the next beat


async def test_trim_removes_what_is_old_and_heard(
    log: RevocationLog, runtime: Runtime, clock: FrozenClock
) -> None:
    await revoke(log, "user:1", "user:2")
    clock.advance(timedelta(minutes=61))
    await log.trim()
    await revoke(log, "user:3")
    if not runtime.database.is_sqlite:
        await write(runtime, "UPDATE portico_workers SET position = 3")
    await log.trim()

    assert [row.subject for row in await rows(runtime, "SELECT subject FROM portico_revocations")] == [
        "user:3"
    ]


async def test_newest_row_stays_so_that_numbers_go_on(
    log: RevocationLog, runtime: Runtime, clock: FrozenClock
) -> None:
    await revoke(log, "user:1")
    clock.advance(timedelta(days=1))
    await log.trim()
    await revoke(log, "user:2")

    assert [row.seq for row in await rows(runtime, "SELECT seq FROM portico_revocations ORDER BY seq")] == [
        1,
        2,
    ]


async def test_whoever_missed_trimmed_rows_forgets_everything(
    log: RevocationLog, heard: list[str], runtime: Runtime
) -> None:
    await revoke(log, "user:1")
    await until(log.trusted)
    heard.clear()
    await write(
        runtime,
        "INSERT INTO portico_revocations (seq, subject, created_at) VALUES (9, 'user:9', :at)",
        at="2026-01-01" if runtime.database.is_sqlite else runtime.clock.now(),
    )
    await until(lambda: log.trusted() and bool(heard))

    assert heard == [EVERYTHING]


async def test_many_revocations_at_once_are_numbered_and_heard(log: RevocationLog, another: Opens) -> None:
    async with another() as other:
        here: list[str] = []
        there: list[str] = []
        log.subscribe(here.extend)
        other.subscribe(there.extend)
        await asyncio.gather(*(revoke([log, other][number % 2], f"user:{number}") for number in range(20)))
        assert log.trusted()
        assert other.trusted()

        assert set(here) == set(there) == {f"user:{number}" for number in range(20)}


@only_postgres
class TestPostgres:
    """Leases, positions and waiting."""

    async def test_living_worker_that_does_not_confirm_is_waited_for_without_a_connection(
        self, log: RevocationLog, runtime: Runtime
    ) -> None:
        await self.add_worker(runtime, "interval '1 minute'")
        started = time.monotonic()
        revoking = asyncio.create_task(revoke(log, "user:1"))
        await asyncio.sleep(0.3)
        busy = 0
        for _ in range(40):
            busy += connections_in_use(runtime)
            await asyncio.sleep(0.005)
        was_waiting = not revoking.done()
        await write(runtime, "UPDATE portico_workers SET position = 1 WHERE description = 'stranger'")
        await revoking

        assert was_waiting
        assert busy < 10
        assert time.monotonic() - started < 1.5

    async def test_numbers_rise_in_the_order_of_commits(
        self, log: RevocationLog, runtime: Runtime, another: Opens
    ) -> None:
        """Else a reader who has passed a higher number would never see the lower one that is committed later."""
        may_commit = asyncio.Event()

        async def revoke_slowly() -> None:
            async with (unit := runtime.unit()):
                await log.append(unit, ["user:1"])
                unit.before_commit(may_commit.wait)  # type: ignore[arg-type]  # what it returns is not looked at

        async with another() as other:
            heard: list[str] = []
            other.subscribe(heard.extend)
            slow = asyncio.create_task(revoke_slowly())
            await asyncio.sleep(0.1)
            quick = asyncio.create_task(revoke(other, "user:2"))
            await asyncio.sleep(0.3)
            before = [*heard]
            may_commit.set()
            await asyncio.gather(slow, quick)

            assert before == []
            assert set(heard) == {"user:1", "user:2"}

    async def test_nobody_waits_longer_than_a_lease(self, log: RevocationLog, runtime: Runtime) -> None:
        await self.add_worker(runtime, "interval '1 minute'")
        started = time.monotonic()
        await revoke(log, "user:1")

        assert TRUST_SECONDS < time.monotonic() - started < 4

    async def test_dead_worker_is_waited_for_until_its_lease_has_run_out(
        self, log: RevocationLog, runtime: Runtime
    ) -> None:
        await self.add_worker(runtime, "interval '0.5 seconds'")
        started = time.monotonic()
        await revoke(log, "user:1")

        assert 0.3 < time.monotonic() - started < 1.5

    async def test_alone_one_asks_once_and_waits_for_nobody(
        self, log: RevocationLog, runtime: Runtime
    ) -> None:
        announced = []
        log._others._announce = lambda: announced.append(1)
        await revoke(log, "user:1")

        assert announced == []

    async def test_belief_counts_from_the_start_of_the_read(
        self, log: RevocationLog, settings: Settings, clock: FrozenClock
    ) -> None:
        """A read that takes long must not make the belief last longer."""
        connection = await self.connect(settings)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("LOCK TABLE portico_workers IN EXCLUSIVE MODE")
        log._follower.wake()  # type: ignore[union-attr]
        await self.until_blocked(connection)
        clock.advance(timedelta(seconds=TRUST_SECONDS + 0.1))
        await transaction.rollback()
        await asyncio.sleep(0.2)
        right_after = log.trusted()
        await until(log.trusted)

        assert not right_after
        await connection.close()

    async def test_read_without_a_lease_is_not_believed(
        self, log: RevocationLog, heard: list[str], another: Opens, settings: Settings, clock: FrozenClock
    ) -> None:
        """It reads, somebody revokes and finds its lease run out, it confirms: it must read again to believe."""
        connection = await self.connect(settings)
        log._follower.wake()  # type: ignore[union-attr]  # a beat now, so that none comes in between
        await asyncio.sleep(0.05)
        await connection.execute(
            "UPDATE portico_workers SET lease_until = clock_timestamp() - interval '1 second'"
        )
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("LOCK TABLE portico_workers IN EXCLUSIVE MODE")
        clock.advance(timedelta(seconds=TRUST_SECONDS + 0.1))
        log._follower.wake()  # type: ignore[union-attr]
        await self.until_blocked(connection)
        async with another(follows=False) as command:
            await revoke(command, "user:1")
        await transaction.rollback()
        await until(log.trusted)

        assert heard == ["user:1"]
        await connection.close()

    async def test_worker_that_lost_its_row_forgets_everything_and_comes_back(
        self, log: RevocationLog, heard: list[str], runtime: Runtime
    ) -> None:
        await write(runtime, "DELETE FROM portico_workers")
        await until(lambda: EVERYTHING in heard)
        await until(log.trusted)

        assert await rows(runtime, "SELECT count(*) FROM portico_workers") == [(1,)]

    async def test_worker_whose_lease_ran_out_takes_it_anew_before_it_believes(
        self, log: RevocationLog, heard: list[str], runtime: Runtime
    ) -> None:
        await write(
            runtime, "UPDATE portico_workers SET lease_until = clock_timestamp() - interval '1 second'"
        )
        await asyncio.sleep(1.2)  # a beat has passed
        leases = await rows(runtime, "SELECT lease_until > clock_timestamp() FROM portico_workers")
        await until(log.trusted)

        assert leases == [(True,)]
        assert heard == []

    async def test_dead_workers_are_trimmed_and_hold_no_rows_back(
        self, log: RevocationLog, runtime: Runtime, clock: FrozenClock
    ) -> None:
        await self.add_worker(runtime, "interval '-11 minutes'")
        await revoke(log, "user:1", "user:2")
        await write(runtime, "UPDATE portico_workers SET position = 2 WHERE description <> 'stranger'")
        clock.advance(timedelta(hours=2))
        await log.trim()

        assert await rows(runtime, "SELECT count(*) FROM portico_workers") == [(1,)]
        assert await rows(runtime, "SELECT count(*) FROM portico_revocations") == [(1,)]

    async def test_living_worker_that_lags_holds_rows_back(
        self, log: RevocationLog, runtime: Runtime, clock: FrozenClock
    ) -> None:
        await revoke(log, "user:1", "user:2")
        await self.add_worker(runtime, "interval '-1 minute'")
        clock.advance(timedelta(hours=2))
        await log.trim()

        assert await rows(runtime, "SELECT count(*) FROM portico_revocations") == [(2,)]

    async def test_cut_listener_comes_back(self, log: RevocationLog, settings: Settings) -> None:
        connection = await self.connect(settings)
        for _ in range(5):
            await connection.execute(CUT)
            await asyncio.sleep(0.02)
        await until(log.trusted)
        await connection.close()

    async def test_leaving_worker_is_not_waited_for(self, log: RevocationLog, another: Opens) -> None:
        async with another():
            pass
        started = time.monotonic()
        await revoke(log, "user:1")

        assert time.monotonic() - started < 0.5

    async def add_worker(self, runtime: Runtime, lease: str) -> None:
        await write(
            runtime,
            "INSERT INTO portico_workers (id, position, lease_until, started_at, description) "
            f"VALUES (gen_random_uuid(), 0, clock_timestamp() + {lease}, clock_timestamp(), 'stranger')",
        )

    async def connect(self, settings: Settings) -> Any:
        assert settings.database.url is not None
        return await asyncpg.connect(settings.database.url.get_secret_value())

    async def until_blocked(self, connection: Any) -> None:
        async with asyncio.timeout(5):
            while not await connection.fetchval(BLOCKED):  # noqa: ASYNC110 - PostgreSQL does not tell
                await asyncio.sleep(0.01)


CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'portico listener' AND datname = current_database()
"""
BLOCKED = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'portico listener' AND datname = current_database() AND wait_event_type = 'Lock'
"""


@pytest.mark.bar("P34")
@only_postgres
async def test_caches_are_not_believed_when_the_database_is_away(
    runtime: Runtime, empty_database: str
) -> None:
    """A whole server is stopped under a real clock; belief ends by itself and comes back by itself."""
    from portico.core.clock import SystemClock
    from portico.db.migrator import Migrator

    with Postgres(durable=True) as server:
        settings = runtime.settings.changed(database={"url": server.url})
        own = replace(
            runtime,
            settings=settings,
            database=Database.from_settings(settings),
            clock=SystemClock(),
            provided={},
        )
        await Migrator(own.database.url).upgrade()
        async with coordination_lifespan(own):
            log = own.get(RevocationLog)
            before = log.trusted()
            server.stop("immediate")
            await asyncio.sleep(TRUST_SECONDS + 0.1)
            during = log.trusted()
            server.start()
            await until(log.trusted)
            await revoke(log, "user:1")

        assert before
        assert not during
        await own.database.close()
