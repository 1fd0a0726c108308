"""Waking other processes: over NOTIFY, over Redis, over both; and what is lost when a way is cut."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
import pytest

from portico.coordination import redis_messenger
from portico.coordination.lifespan import coordination_lifespan
from portico.coordination.postgres_follower import PostgresFollower
from portico.coordination.wakeups import REST_SECONDS, Wakeups
from portico.core.settings import Settings
from portico.db.database import Database
from portico.feature import Feature
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.services import Valkey

pytestmark = [pytest.mark.anyio]

CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'portico listener' AND datname = current_database()
"""

only_postgres = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
only_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
with_redis = pytest.mark.parametrize("has_redis", [True])

type Opens = Callable[..., AbstractAsyncContextManager[Wakeups]]


class Listener:
    """Counts how often it is woken."""

    def __init__(self, wakeups: Wakeups, topic: str = "jobs") -> None:
        self.count = 0
        self._woken = asyncio.Event()
        wakeups.listen(topic, self._wake)

    def _wake(self) -> None:
        self.count += 1
        self._woken.set()

    async def woken(self, seconds: float = 5) -> None:
        await asyncio.wait_for(self._woken.wait(), seconds)
        self._woken.clear()

    async def quiet(self, seconds: float = 0.15) -> int:
        """Wait a little, then return how often it was woken and begin to count anew."""
        await asyncio.sleep(seconds)
        count, self.count = self.count, 0
        self._woken.clear()
        return count


@pytest.fixture
def features() -> Sequence[Feature]:
    return ()


@pytest.fixture
def has_redis() -> bool:
    return False


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


@pytest.fixture
def settings_overrides(has_redis: bool, request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"redis": {"url": request.getfixturevalue("valkey").url}} if has_redis else {}


@pytest.fixture
def process(settings: Settings, clock: FrozenClock) -> Opens:
    """Open the database as a process of its own would."""

    @asynccontextmanager
    async def opens(*, follows: bool = True) -> AsyncIterator[Wakeups]:
        from portico.core.crypto import RootSecret

        database = Database.from_settings(settings)
        runtime = Runtime(settings=settings, secret=RootSecret(bytes(32)), database=database, clock=clock)
        try:
            async with coordination_lifespan(runtime, follows=follows):
                yield runtime.get(Wakeups)
        finally:
            await database.close()

    return opens


@only_postgres
async def test_other_process_is_woken_and_the_own_is_not(process: Opens) -> None:
    async with process() as here, process() as there:
        own, other, deaf = Listener(here), Listener(there), Listener(there, "outbox")
        here.announce("jobs")
        await other.woken()

        assert (await other.quiet(), await own.quiet(), await deaf.quiet()) == (1, 0, 0)


@with_redis
@only_sqlite
async def test_redis_wakes_where_there_is_no_notify(process: Opens, has_redis: bool) -> None:
    async with process() as here, process() as there:
        own, other = Listener(here), Listener(there)
        await asyncio.sleep(0.1)  # whoever begins to hear is woken once
        await asyncio.gather(own.quiet(), other.quiet())
        here.announce("jobs")
        await other.woken()

        assert (await other.quiet(), await own.quiet()) == (1, 0)


@pytest.mark.parametrize("has_redis", [False, True])
async def test_what_a_command_announces_last_is_sent(process: Opens, has_redis: bool) -> None:
    async with process() as there:
        other = Listener(there)
        await other.quiet()
        async with process(follows=False) as command:
            for _ in range(2):
                command.announce("jobs")  # the second is still resting when the command ends

        heard = await other.quiet(0.3)
    assert heard > 0 if has_redis or there._carriers else heard == 0


@only_postgres
async def test_many_announcements_are_few_messages_and_the_last_is_heard(process: Opens) -> None:
    async with process() as here, process() as there:
        other = Listener(there)
        for _ in range(40):
            for _ in range(25):
                here.announce("jobs")
            await asyncio.sleep(0.001)
        before = await other.quiet(REST_SECONDS * 2)
        later = await other.quiet()

        assert 2 <= before <= 20
        assert later <= 1


@only_postgres
async def test_what_is_announced_in_the_rest_after_a_message_is_said_at_its_end(process: Opens) -> None:
    """Else the job that was written last would wait for a look."""
    async with process() as here, process() as there:
        other = Listener(there)
        for _ in range(3):
            here.announce("jobs")

        assert await other.quiet() == 2


@only_postgres
async def test_wakeups_cost_the_revocation_log_nothing(
    process: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy queue must not make every process read the log at each job."""
    reads: list[float] = []
    hear = PostgresFollower._hear

    async def counted(self: PostgresFollower, connection: Any) -> None:
        reads.append(asyncio.get_running_loop().time())
        await hear(self, connection)

    monkeypatch.setattr(PostgresFollower, "_hear", counted)
    async with process() as here, process() as there:
        other = Listener(there)
        reads.clear()
        for _ in range(20):
            here.announce("jobs")
            await asyncio.sleep(REST_SECONDS * 1.5)

        assert other.count >= 15
        assert len(reads) <= 2  # the beat of one second


@only_postgres
async def test_cut_listener_is_woken_when_it_hears_again(process: Opens, empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    async with process() as here, process() as there:
        other = Listener(there)
        await connection.execute(CUT)
        here.announce("jobs")  # lost with both connections
        await other.woken()
        await other.quiet()
        here.announce("jobs")
        await other.woken()
    await connection.close()


@only_postgres
async def test_nobody_waits_for_a_listener_that_stands_still(process: Opens, empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    async with process() as here, process() as there:
        other = Listener(there)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "LOCK TABLE portico_workers, portico_revocations"
        )  # its connection stands still
        started = asyncio.get_running_loop().time()
        await asyncio.sleep(1.1)
        for _ in range(1_000):
            here.announce("jobs")
        spent = asyncio.get_running_loop().time() - started - 1.1
        await transaction.rollback()
        await other.woken()

        assert spent < 0.2
    await connection.close()


@with_redis
@only_sqlite
@pytest.mark.bar("P19")
async def test_redis_that_was_away_wakes_again(process: Opens, valkey: Valkey) -> None:
    async with process() as here, process() as there:
        other = Listener(there)
        for _ in range(2):
            await self_woken(here, other)
            valkey.stop()
            here.announce("jobs")
            valkey.start()
            await other.woken(10)  # by hearing again, whatever was lost


@with_redis
@only_postgres
@pytest.mark.bar("P19")
async def test_without_redis_notify_wakes_alone(process: Opens, valkey: Valkey) -> None:
    async with process() as here, process() as there:
        other = Listener(there)
        await other.quiet()
        valkey.pause()
        try:
            here.announce("jobs")
            await other.woken(1)
        finally:
            valkey.resume()


@with_redis
@only_sqlite
@pytest.mark.bar("P19")
async def test_redis_that_says_nothing_any_more_is_left(
    process: Opens, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frozen, or behind a firewall that forgot the connection: silence looks the same as nothing to say."""
    monkeypatch.setattr(redis_messenger, "SILENCE_SECONDS", 0.1)
    monkeypatch.setattr(redis_messenger, "PAUSE_SECONDS", 0.1)
    async with process() as here, process() as there:
        other = Listener(there)
        await other.quiet(1)
        silent = await other.quiet(0.5)  # asked several times whether it is there, and it was
        valkey.pause()
        await asyncio.sleep(0.5)
        here.announce("jobs")
        valkey.resume()
        await other.woken(10)

        assert silent == 0


async def self_woken(here: Wakeups, other: Listener) -> None:
    """Announce until it arrives: a subscription may not stand yet."""
    await other.quiet()
    while not await other.quiet(0.05):
        here.announce("jobs")


@only_sqlite
async def test_alone_on_sqlite_nobody_is_woken_and_nothing_fails(process: Opens) -> None:
    async with process() as here, process() as there:
        own, other = Listener(here), Listener(there)
        here.announce("jobs")

        assert (await own.quiet(), await other.quiet()) == (0, 0)


async def test_listener_that_fails_hides_no_other() -> None:
    wakeups = Wakeups()

    def fails() -> None:
        raise LookupError

    wakeups.listen("jobs", fails)
    other = Listener(wakeups)
    wakeups.hear("jobs")

    assert other.count == 1
