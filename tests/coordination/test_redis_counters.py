"""Counters in a real Valkey, and what becomes of them when it fails."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st

from portico.coordination.counters import Window, parse_windows
from portico.coordination.memory import MemoryCounters
from portico.coordination.redis import open_redis
from portico.coordination.redis_counters import SCRIPT, RedisCounters
from portico.core.clock import SystemClock
from portico.core.settings import RedisSettings
from portico.testing.clock import FrozenClock
from portico.testing.services import Valkey

pytestmark = [pytest.mark.anyio, pytest.mark.bar("P19")]

TEN = parse_windows("10/hour 1000/day")
NUMBERS = count()
TIMEOUT = timedelta(milliseconds=150)
PATIENCE = timedelta(seconds=5)
"""Where nothing fails, a busy machine shall not look as if it did."""


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


@pytest.fixture
def key() -> str:
    return f"key {next(NUMBERS)}"


@asynccontextmanager
async def node(valkey: Valkey, timeout: timedelta = PATIENCE) -> AsyncIterator[RedisCounters]:
    """Run the counters of one process."""
    client = open_redis(RedisSettings.model_validate({"url": valkey.url, "timeout": timeout}))
    assert client is not None
    counters = RedisCounters(client, MemoryCounters(SystemClock()), timeout)
    async with client:
        try:
            yield counters
        finally:
            await counters.close()


async def say(valkey: Valkey, *command: object) -> Any:
    client = open_redis(RedisSettings.model_validate({"url": valkey.url, "timeout": PATIENCE}))
    assert client is not None
    async with client:
        return await client.execute_command(*command)  # type: ignore[no-untyped-call]


async def hits(counters: RedisCounters, key: str, number: int, windows: Sequence[Window] = TEN) -> int:
    """Hit one after the other and return how many were allowed."""
    return sum([(await counters.hit(key, windows)).allowed for _ in range(number)])


async def until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - what is waited for knows nothing of tests
            await asyncio.sleep(0.01)


@pytest.mark.bar("P39")
async def test_racers_on_two_nodes_pass_exactly_the_limit(valkey: Valkey, key: str) -> None:
    async with node(valkey) as first, node(valkey) as second:
        verdicts = await asyncio.gather(*(one.hit(key, TEN) for one in [first, second] * 50))

        assert sum(verdict.allowed for verdict in verdicts) == 10
        assert not first.is_local
        assert not second.is_local


async def test_verdicts_tell_what_the_script_counted(valkey: Valkey, key: str) -> None:
    async with node(valkey) as first, node(valkey) as second:
        await hits(first, key, 9)
        last = await second.hit(key, TEN)
        refused = await second.hit(key, TEN)

    assert last == (True, 10, 0, 3600.0, 0.0)
    assert refused[:3] == (False, 10, 0)
    assert 3590 < refused.retry_after <= refused.reset_after <= 3600


async def test_hit_that_others_used_up_is_not_counted_here(valkey: Valkey, key: str) -> None:
    windows = parse_windows("2/2second 1000/day")
    async with node(valkey) as first, node(valkey) as second:
        await hits(first, key, 2, windows)
        refused = await hits(second, key, 5, windows)
        await asyncio.sleep(2.2)

        assert refused == 0
        assert (await second.hit(key, windows)).allowed


async def test_counter_leaves_redis_with_its_longest_window(valkey: Valkey, key: str) -> None:
    async with node(valkey) as counters:
        await counters.hit(key, parse_windows("5/second 9/minute"))

    assert 59_000 < await say(valkey, "PTTL", f"portico:rate:{key}") <= 60_001


async def test_script_is_sent_again_when_the_server_forgot_it(valkey: Valkey, key: str) -> None:
    async with node(valkey) as counters:
        await counters.hit(key, TEN)
        await say(valkey, "SCRIPT", "FLUSH")

        assert (await counters.hit(key, TEN)).remaining == 8
        assert not counters.is_local


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=60), st.data())
async def test_script_counts_as_memory_does(valkey: Valkey, pauses: list[int], data: st.DataObject) -> None:
    """The same times give the same verdicts; the script reads them from its keys here and not from the server."""
    windows = data.draw(
        st.sampled_from([TEN, parse_windows("3/10second 5/minute"), parse_windows("1/second 3/8second")])
    )
    script = SCRIPT.replace("redis.call('TIME')", "{KEYS[2], KEYS[3]}")
    assert script != SCRIPT
    clock = FrozenClock()
    memory = MemoryCounters(clock)
    numbers = [number for window in windows for number in (window.amount, window.period_seconds * 1_000_000)]
    client = open_redis(RedisSettings.model_validate({"url": valkey.url, "timeout": PATIENCE}))
    assert client is not None
    async with client:
        await client.delete("model")
        for pause in pauses:
            clock.advance(timedelta(seconds=pause / 8))
            now = clock.monotonic()
            times = [str(int(now)), str(int(now % 1 * 1_000_000))]
            allowed, index, left, reset, retry = await client.eval(script, 3, "model", *times, *numbers)
            expected = memory.hit_now("model", windows)

            assert (bool(allowed), windows[index].amount, left, reset / 1e6, retry / 1e6) == expected


async def test_clock_that_is_set_back_shuts_nobody_out(valkey: Valkey, key: str) -> None:
    script = SCRIPT.replace("redis.call('TIME')", "{KEYS[2], 0}")
    client = open_redis(RedisSettings.model_validate({"url": valkey.url, "timeout": PATIENCE}))
    assert client is not None
    async with client:
        allowed = [
            (await client.eval(script, 2, key, second, 1, 60_000_000))[0]
            for second in ("9000", "1000", "1060")
        ]

    assert allowed == [1, 0, 1]


async def test_killed_server_is_replaced_by_the_local_count_and_comes_back(key: str) -> None:
    with Valkey() as server:
        async with node(server, TIMEOUT) as first, node(server, TIMEOUT) as second:
            before = await hits(first, key, 3) + await hits(second, key, 3)
            server.stop()
            during = await hits(first, key, 30) + await hits(second, key, 30)
            was_local = first.is_local and second.is_local
            server.start()
            await until(lambda: not first.is_local and not second.is_local)
            after = await hits(first, key, 30) + await hits(second, key, 30)

            assert was_local
            assert before == 6
            assert (
                before + during + after == 20
            )  # two nodes: never more than twice the limit, and no sooner shut


@pytest.mark.parametrize("fault", ["frozen", "paused clients", "read-only", "full"])
async def test_ailing_server_delays_nobody_for_long(valkey: Valkey, key: str, fault: str) -> None:
    async with node(valkey, TIMEOUT) as counters:
        allowed = await hits(counters, key, 4)
        await break_down(valkey, fault)
        try:
            times, more = await timed_hits(counters, key, 200)
        finally:
            await repair(valkey, fault)
        await until(lambda: not counters.is_local)

        assert allowed + more == 10
        assert times[-1] < TIMEOUT.total_seconds() + 0.5
        assert times[-4] < 0.05  # all but those that met the fault first
        assert (await counters.hit(f"{key} after", TEN)).remaining == 9


async def break_down(valkey: Valkey, fault: str) -> None:
    match fault:
        case "frozen":
            valkey.pause()
        case "paused clients":
            await say(valkey, "CLIENT", "PAUSE", 1_000, "ALL")
        case "read-only":
            await say(valkey, "REPLICAOF", "127.0.0.1", "1")
        case "full":
            await say(valkey, "CONFIG", "SET", "maxmemory", 1)


async def repair(valkey: Valkey, fault: str) -> None:
    match fault:
        case "frozen":
            valkey.resume()
        case "read-only":
            await say(valkey, "REPLICAOF", "NO", "ONE")
        case "full":
            await say(valkey, "CONFIG", "SET", "maxmemory", 0)


async def timed_hits(counters: RedisCounters, key: str, number: int) -> tuple[list[float], int]:
    """Return how long each hit took, sorted, and how many were allowed."""
    times, allowed = [], 0
    for _ in range(number):
        started = time.perf_counter()
        allowed += (await counters.hit(key, TEN)).allowed
        times.append(time.perf_counter() - started)
    return sorted(times), allowed


async def test_flushed_server_opens_nothing_on_one_node(valkey: Valkey, key: str) -> None:
    async with node(valkey, TIMEOUT) as counters:
        before = await hits(counters, key, 6)
        await say(valkey, "FLUSHALL")

        assert before + await hits(counters, key, 30) == 10


@pytest.mark.bar("P39")
async def test_guesses_on_two_nodes_stay_under_twice_the_limit_whatever_happens(
    valkey: Valkey, key: str
) -> None:
    async with node(valkey, TIMEOUT) as first, node(valkey, TIMEOUT) as second:
        allowed = 0
        for fault in ("FLUSHALL", "frozen", "FLUSHALL", "read-only", "FLUSHALL"):
            if fault == "FLUSHALL":
                await say(valkey, fault)
            else:
                await break_down(valkey, fault)
            racers = await asyncio.gather(*(one.hit(key, TEN) for one in [first, second] * 25))
            allowed += sum(verdict.allowed for verdict in racers)
            await repair(valkey, fault)
            await until(lambda: not first.is_local and not second.is_local)

        assert 10 <= allowed <= 20


async def test_server_that_is_not_there_at_the_start_is_found_later(key: str) -> None:
    with Valkey() as server:
        server.stop()
        async with node(server, TIMEOUT) as counters:
            first = await counters.hit(key, TEN)
            server.start()
            await until(lambda: not counters.is_local)

            assert first.remaining == 9
            assert (await counters.hit(key, TEN)).remaining == 9  # the new server has counted one


async def test_cancelled_hit_leaves_no_wrong_answer_behind(valkey: Valkey, key: str) -> None:
    async with node(valkey) as counters:
        for number in range(30):
            task = asyncio.create_task(counters.hit(f"{key} cancelled {number}", parse_windows("1/hour")))
            await asyncio.sleep(0.0002 * (number % 5))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        verdicts = [await counters.hit(key, TEN) for _ in range(5)]

    assert [verdict.remaining for verdict in verdicts] == [9, 8, 7, 6, 5]
