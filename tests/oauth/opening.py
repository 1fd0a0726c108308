"""Opens a house on a database that is already there, for as long as a module or a test wants it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from portico.app import assemble, default_features
from portico.composition import compose, opened
from portico.core.settings import Environment, Settings
from portico.feature import Feature
from portico.keys.services import KeyMaker
from portico.testing.clock import FrozenClock
from portico.testing.keys import PooledKeys
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


@asynccontextmanager
async def open_house(
    url: str,
    data_dir: Path,
    *,
    oauth: Mapping[str, Any] | None = None,
    http: Mapping[str, Any] | None = None,
    outbound: Mapping[str, Any] | None = None,
    features: Sequence[Feature] = (),
) -> AsyncIterator[House]:
    """Lend a house without people; the mappings are laid over the settings of these tests."""
    overrides = {
        **SETTINGS,
        "http": http or {},
        "outbound": outbound or {},
        "oauth": {**SETTINGS["oauth"], **(oauth or {})},
    }
    settings = Settings(
        environment=Environment.TEST,
        data_dir=data_dir,
        database={"url": url, "pool_size": 3, "pool_overflow": 3, "readers": 2},
        public_url="http://localhost:8000",
        **overrides,
    )
    clock = FrozenClock()
    composed = compose(settings, [*default_features(), *features], clock=clock)
    composed.provide(KeyMaker, PooledKeys())
    async with opened(composed) as runtime:
        transport = httpx2.ASGITransport(app=assemble(runtime), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=settings.public_url) as client:
            yield House(runtime, client, clock)
