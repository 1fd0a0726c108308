"""Fixtures of the HTTP floor: a runtime without features, the shop, a client of it."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs
from structlog.typing import EventDict

from portico.composition import compose
from portico.core.settings import Settings
from portico.feature import Feature
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.http.shop import client_of, shop_app


@pytest.fixture(autouse=True)
def entries() -> Iterator[list[EventDict]]:
    """What structlog was given; not rendered, for a stack with its local variables takes a second."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
def features() -> Sequence[Feature]:
    return []


@pytest.fixture
def database_kind() -> str:
    """One database is enough for what does not write; the others parametrize it again."""
    return "sqlite"


@pytest.fixture
async def runtime(settings: Settings, clock: FrozenClock) -> AsyncIterator[Runtime]:
    """A runtime that is made and not brought to life: what the edge needs, and quick."""
    runtime = compose(settings, [], clock=clock)
    yield runtime
    await runtime.database.close()


@pytest.fixture
def app(runtime: Runtime) -> FastAPI:
    app, _ = shop_app(runtime)
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {}
