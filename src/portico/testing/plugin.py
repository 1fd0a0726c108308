"""Pytest plug-in: `pytest_plugins = ["portico.testing.plugin"]` gives the fixtures below, on both databases.

Every test gets an empty, migrated database of its own: a copy of a SQLite file, or a PostgreSQL database made from
a template. Override the fixture `features` to test a product's own; `settings_overrides` to change settings.
"""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from portico.composition import chains_of, compose, opened
from portico.core.ids import OrganizationId
from portico.core.settings import Environment, Settings
from portico.feature import Feature
from portico.keys.services import KeyMaker
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.isolation import new_organization
from portico.testing.keys import PooledKeys
from portico.testing.mail import CapturedMails, capture_mail
from portico.testing.organizations import TestOrganizations
from portico.testing.people import People
from portico.testing.templates import DatabaseTemplates


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
def worker_id() -> str:
    """Name the test process; pytest-xdist gives its own where it is used."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def database_templates(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[DatabaseTemplates]:
    """Return what makes migrated, empty databases."""
    templates = DatabaseTemplates(tmp_path_factory.mktemp("templates"), worker_id)
    yield templates
    templates.close()


@pytest.fixture
def empty_database(
    database_kind: str, features: Sequence[Feature], database_templates: DatabaseTemplates, tmp_path: Path
) -> Iterator[str]:
    """Return the URL of an empty database of the test's own, with the tables of all features."""
    chains = chains_of(features)
    if database_kind == "sqlite":
        yield database_templates.sqlite(tmp_path / "portico.db", chains)
        return
    with database_templates.postgres(chains) as url:
        yield url


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
    composed = compose(settings, features, clock=clock)
    composed.provide(KeyMaker, PooledKeys())
    async with opened(composed) as runtime:
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


@pytest.fixture
def people(runtime: Runtime, client: httpx2.AsyncClient) -> People:
    """Return what makes people who are signed in: `ada = await people.sign_up("ada@example.com")`."""
    return People(runtime, client)


@pytest.fixture
def organizations(runtime: Runtime) -> TestOrganizations:
    """Return what makes organizations: `acme = await organizations.make(ada)`."""
    return TestOrganizations(runtime)


@pytest.fixture
async def two_organizations(runtime: Runtime) -> tuple[OrganizationId, OrganizationId]:
    """Return two organizations without members, for rows that must not meet."""
    return await new_organization(runtime, "One"), await new_organization(runtime, "Other")


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = base | over
    nested = {
        key
        for key in base.keys() & over.keys()
        if isinstance(base[key], dict) and isinstance(over[key], dict)
    }
    return both | {key: _merged(base[key], over[key]) for key in nested}
