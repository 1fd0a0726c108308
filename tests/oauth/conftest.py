"""The house of the authorization server's tests."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest

from portico.app import default_features
from portico.composition import chains_of
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.templates import DatabaseTemplates
from tests.oauth.kit import House
from tests.oauth.opening import SETTINGS, open_house


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

    The module may say more by `LASTING_OAUTH`, `LASTING_HTTP`, `LASTING_OUTBOUND` (settings), `LASTING_FEATURES`.
    """
    said = request.module
    async with open_house(
        lasting_database,
        tmp_path_factory.mktemp("data"),
        oauth=getattr(said, "LASTING_OAUTH", {}),
        http=getattr(said, "LASTING_HTTP", {}),
        outbound=getattr(said, "LASTING_OUTBOUND", {}),
        features=getattr(said, "LASTING_FEATURES", ()),
    ) as house:
        for name in ("ada", "bob"):
            await house.person(name)
        yield house
