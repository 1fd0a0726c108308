"""The house of the authorization server's tests."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest

from portico.app import assemble, default_features
from portico.composition import chains_of, compose, opened
from portico.core.settings import Environment, Settings
from portico.keys.services import KeyMaker
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.keys import PooledKeys
from portico.testing.templates import DatabaseTemplates
from tests.oauth.kit import House
from tests.sessions.people import FAST_HASHES

TOOLS = {
    "identifier": "https://api.example.com/mcp",
    "name": "Tools",
    "scopes": {"tools:read": "Read your tools", "tools:write": "Change your tools"},
    "default_scope": "tools:read",
}
NOTES = {"identifier": "https://notes.example.com/", "scopes": {"notes:read": "Read your notes"}}
SETTINGS: dict[str, Any] = {
    "credentials": FAST_HASHES,
    "logging": {"access": False},
    "rate_limit": {"enabled": False},
    "oauth": {"resources": [TOOLS, NOTES]},
}


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return SETTINGS


@pytest.fixture
async def house(runtime: Runtime, client: httpx2.AsyncClient, clock: FrozenClock) -> House:
    made = House(runtime, client, clock)
    for name in ("ada", "bob"):
        await made.person(name)
    return made


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lasting_database(
    request: pytest.FixtureRequest,
    database_templates: DatabaseTemplates,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Return the URL of a database that a whole module shares."""
    chains = chains_of(default_features())
    if request.param == "sqlite":
        yield database_templates.sqlite(tmp_path_factory.mktemp("house") / "portico.db", chains)
        return
    with database_templates.postgres(chains) as url:
        yield url


@pytest.fixture(scope="module")
async def lasting_house(
    request: pytest.FixtureRequest, lasting_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """Return a house for a whole module, whose tests register a client each and leave the others' alone.

    The module may say more by `LASTING_OAUTH` and `LASTING_HTTP` (settings), and `LASTING_FEATURES`.
    """
    said = request.module
    overrides = {
        **SETTINGS,
        "http": getattr(said, "LASTING_HTTP", {}),
        "oauth": {**SETTINGS["oauth"], **getattr(said, "LASTING_OAUTH", {})},
    }
    settings = Settings(
        environment=Environment.TEST,
        data_dir=tmp_path_factory.mktemp("data"),
        database={"url": lasting_database, "pool_size": 3, "pool_overflow": 3, "readers": 2},
        public_url="http://localhost:8000",
        **overrides,
    )
    clock = FrozenClock()
    composed = compose(settings, [*default_features(), *getattr(said, "LASTING_FEATURES", ())], clock=clock)
    composed.provide(KeyMaker, PooledKeys())
    async with opened(composed) as runtime:
        transport = httpx2.ASGITransport(app=assemble(runtime), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=settings.public_url) as client:
            made = House(runtime, client, clock)
            for name in ("ada", "bob"):
                await made.person(name)
            yield made
