"""What administrators are told of how processes hear each other."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from portico.composition import compose, opened
from portico.coordination.health import describe_coordination
from portico.core.clock import SystemClock
from portico.core.errors import Unavailable
from portico.core.settings import Settings
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.services import redis_url

pytestmark = pytest.mark.anyio

only_postgres = pytest.mark.parametrize("database_kind", ["postgresql"])

type Opens = Callable[[], AbstractAsyncContextManager[Runtime]]


@pytest.fixture
def redis() -> str | None:
    return None


@pytest.fixture
def settings_overrides(redis: str | None) -> dict[str, Any]:
    return {"redis": {"url": redis_url(6) if redis == "shared" else redis}}


@pytest.fixture
def process(settings: Settings) -> Opens:
    @asynccontextmanager
    async def opens() -> AsyncIterator[Runtime]:
        async with opened(compose(settings, [], clock=SystemClock())) as runtime:
            yield runtime

    return opens


async def test_process_that_hears_is_well(process: Opens, database_kind: str) -> None:
    async with process(), process() as runtime:
        told = await describe_coordination(runtime)

    heard = {
        "sqlite": "Revocations are read from the file.",
        "postgresql": "Processes that hear of revocations: 2.",
    }
    assert told == f"{heard[database_kind]} Each process counts by itself."


@pytest.mark.bar("P19")
@pytest.mark.parametrize("redis", ["redis://127.0.0.1:1/0"])
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_redis_that_is_away_is_told_and_no_failure(process: Opens) -> None:
    async with process() as runtime:
        told = await describe_coordination(runtime)

    assert "Redis carries no wake-ups." in told


@only_postgres
async def test_process_that_hears_nothing_fails(runtime: Runtime, clock: FrozenClock) -> None:
    clock.advance(timedelta(seconds=3))  # since the last time that it read the log

    with pytest.raises(Unavailable, match="what others revoke is not heard here"):
        await describe_coordination(runtime)


@only_postgres
@pytest.mark.bar("P21")
async def test_clock_that_is_wrong_is_told(runtime: Runtime) -> None:
    with pytest.raises(Unavailable, match="this clock differs from the database's by"):
        await describe_coordination(runtime)
