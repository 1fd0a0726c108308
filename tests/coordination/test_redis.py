"""The client, the sentence on its health, and Redis as a messenger of revocations."""

from collections.abc import Sequence
from typing import Any

import pytest

from portico.coordination.counters import Counters, parse_windows
from portico.coordination.memory import MemoryCounters
from portico.coordination.redis import describe_redis
from portico.coordination.redis_counters import RedisCounters
from portico.coordination.revocations import RevocationLog
from portico.feature import Feature
from portico.runtime import Runtime
from portico.testing.services import redis_url

pytestmark = pytest.mark.anyio

with_redis = pytest.mark.parametrize("redis", [{"url": "shared"}])
only_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


@pytest.fixture
def features() -> Sequence[Feature]:
    return ()


@pytest.fixture
def redis() -> dict[str, Any]:
    return {}


@pytest.fixture
def settings_overrides(redis: dict[str, Any]) -> dict[str, Any]:
    if redis.get("url") == "shared":
        redis = {"url": redis_url(7)}
    return {"redis": redis}


@only_sqlite
async def test_counters_live_in_memory_without_redis(runtime: Runtime) -> None:
    assert isinstance(runtime.get(Counters), MemoryCounters)
    assert await describe_redis(runtime) == "Redis is not configured: counters live in each process."


@only_sqlite
@with_redis
async def test_counters_live_in_redis_when_it_is_set(runtime: Runtime) -> None:
    counters = runtime.get(Counters)
    verdict = await counters.hit("test_redis", parse_windows("5/second"))

    assert isinstance(counters, RedisCounters)
    assert verdict.allowed
    assert not counters.is_local
    assert (await describe_redis(runtime)).startswith("Valkey ")


@only_sqlite
@pytest.mark.bar("P19")
@pytest.mark.parametrize("redis", [{"url": "redis://127.0.0.1:1/0"}])
async def test_process_starts_and_counts_when_redis_is_away(runtime: Runtime) -> None:
    verdict = await runtime.get(Counters).hit("test_redis", parse_windows("1/hour"))

    assert verdict.allowed
    assert not (await runtime.get(Counters).hit("test_redis", parse_windows("1/hour"))).allowed
    with pytest.raises(Exception, match=r"127\.0\.0\.1"):
        await describe_redis(runtime)


@with_redis
async def test_revocations_are_heard_with_redis_beside_them(runtime: Runtime) -> None:
    log = runtime.get(RevocationLog)
    heard: list[str] = []
    log.subscribe(heard.extend)
    async with (unit := runtime.unit()):
        await log.append(unit, ["user:1"])

    assert log.trusted()
    assert heard == ["user:1"]
