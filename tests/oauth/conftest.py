"""The house of the authorization server's tests."""

from typing import Any

import httpx2
import pytest

from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.oauth.kit import House
from tests.sessions.people import FAST_HASHES

TOOLS = {
    "identifier": "https://api.example.com/mcp",
    "name": "Tools",
    "scopes": {"tools:read": "Read your tools", "tools:write": "Change your tools"},
    "default_scope": "tools:read",
}
NOTES = {"identifier": "https://notes.example.com/", "scopes": {"notes:read": "Read your notes"}}


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "credentials": FAST_HASHES,
        "logging": {"access": False},
        "rate_limit": {"enabled": False},
        "oauth": {"resources": [TOOLS, NOTES]},
    }


@pytest.fixture
async def house(runtime: Runtime, client: httpx2.AsyncClient, clock: FrozenClock) -> House:
    made = House(runtime, client, clock)
    for name in ("ada", "bob"):
        await made.person(name)
    return made
