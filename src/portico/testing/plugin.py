"""Pytest plug-in: `pytest_plugins = ["portico.testing.plugin"]` gives the fixtures below, on both databases.

Every test gets an empty, migrated database of its own: a copy of a SQLite file, or a PostgreSQL database made from
a template. Override the fixture `features` to test a product's own; `settings_overrides` to change settings.
"""

import os
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import URL, make_url

from portico.composition import compose, opened
from portico.core.settings import Environment, Settings
from portico.db.migrator import Migrator
from portico.feature import Feature
from portico.runtime import Runtime
from portico.testing import services
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails, capture_mail


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio, the loop that the drivers need."""
    return "asyncio"


@pytest.fixture
def features() -> Sequence[Feature]:
    """Return the features under test; by default all of Portico's."""
    from portico.app import default_features

    return default_features()


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    """Return settings to lay over the test defaults."""
    return {}


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Name the database of this run of the test."""
    return str(request.param)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated, empty SQLite file."""
    path = tmp_path_factory.mktemp("template") / "portico.db"
    _migrate(URL.create("sqlite+aiosqlite", database=str(path)))
    return path


@pytest.fixture(scope="session")
def postgres_template(worker_id: str) -> Iterator[str]:
    """Return the name of a migrated, empty PostgreSQL database of this test process."""
    name = f"portico_template_{worker_id}_{os.getpid()}"
    url = services.create_database(name)
    _migrate(make_url(url).set(drivername="postgresql+asyncpg"))
    yield name
    services.drop_database(name)


@pytest.fixture(scope="session")
def worker_id() -> str:
    """Name the test process; pytest-xdist gives its own where it is used."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture
def empty_database(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of an empty, migrated database of the test's own."""
    if database_kind == "sqlite":
        path = tmp_path / "portico.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    name = f"portico_{uuid4().hex[:16]}"
    yield services.create_database(name, request.getfixturevalue("postgres_template"))
    services.drop_database(name)


@pytest.fixture
def clock() -> FrozenClock:
    """Return the clock of the runtime under test."""
    return FrozenClock()


@pytest.fixture
def settings(empty_database: str, tmp_path: Path, settings_overrides: dict[str, Any]) -> Settings:
    """Return settings for tests: the empty database, a data directory of its own, rate limits off."""
    given: dict[str, Any] = {
        "environment": Environment.TEST,
        "data_dir": tmp_path / "data",
        "database": {"url": empty_database, "pool_size": 3, "pool_overflow": 3, "readers": 2},
        "rate_limit": {"enabled": False},
        "public_url": "http://localhost:8000",
    }
    return Settings(**_merged(given, settings_overrides))


@pytest.fixture
async def runtime(
    settings: Settings, features: Sequence[Feature], clock: FrozenClock
) -> AsyncIterator[Runtime]:
    """Return an open runtime: ports filled, features alive, no periodic work running by itself."""
    async with opened(compose(settings, features, clock=clock)) as runtime:
        yield runtime


@pytest.fixture
def mails(runtime: Runtime) -> CapturedMails:
    """Return the mails that the runtime sends, each there when the act that wrote it has been answered."""
    return capture_mail(runtime)


@pytest.fixture
def app(runtime: Runtime) -> FastAPI:
    """Return the application around `runtime`."""
    from portico.app import assemble

    return assemble(runtime)


@pytest.fixture
async def client(app: FastAPI, settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """Return a client of the application that keeps cookies and follows no redirect."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=settings.public_url) as client:
        yield client


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = base | over
    nested = {
        key
        for key in base.keys() & over.keys()
        if isinstance(base[key], dict) and isinstance(over[key], dict)
    }
    return both | {key: _merged(base[key], over[key]) for key in nested}


def _migrate(url: URL) -> None:
    anyio.run(Migrator(url).upgrade)
