"""The OAuth client of the official MCP SDK at our own API: from a 401 to a refreshed call, by registering itself.

That it reaches an MCP server behind our guard is tried by the example of the guide; here its token runs out.
"""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

from portico.testing.consent import consent
from tests.integration.ground import API
from tests.oauth.kit import House, claims_of
from tests.sessions.people import FAST_HASHES, PASSWORD

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

ISSUER = "http://localhost:8000"
CALLBACK = "http://127.0.0.1:33418/callback"


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "credentials": FAST_HASHES,
        "logging": {"access": False},
        "oauth": {"dynamic_registration": "open"},
    }


class Memory:
    """Where the SDK keeps what it was given."""

    def __init__(self) -> None:
        self.tokens: list[OAuthToken] = []
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens[-1] if self.tokens else None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens.append(tokens)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@pytest.mark.bar("A1-1.17")
async def test_it_registers_signs_in_and_refreshes(app: FastAPI, house: House) -> None:
    memory, opened, came_back = Memory(), list[httpx2.QueryParams](), list[httpx2.QueryParams]()

    async def open_browser(url: str) -> None:
        opened.append(httpx2.URL(url).params)
        came_back.append(httpx2.URL(await consent(house.http, url, "ada@example.org", PASSWORD)).params)

    async def wait_for_answer() -> AuthorizationCodeResult:
        answer = came_back.pop()
        return AuthorizationCodeResult(code=answer["code"], state=answer["state"], iss=answer["iss"])

    wish = OAuthClientMetadata(
        client_name="Test", redirect_uris=[AnyUrl(CALLBACK)], token_endpoint_auth_method="none"
    )
    provider = OAuthClientProvider(f"{ISSUER}{API}", wish, memory, open_browser, wait_for_answer)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, auth=provider) as http:
        first = await http.get(f"{ISSUER}{API}/users/me")
        provider.context.token_expiry_time = 1.0  # its own clock says that the token is over
        second = await http.get(f"{ISSUER}{API}/users/me")

    assert first.json()["id"] == second.json()["id"] == str(house.people["ada"].id)
    assert len(opened) == 1
    assert opened[0]["resource"] == f"{ISSUER}{API}"
    assert opened[0]["code_challenge_method"] == "S256"
    before, after = memory.tokens
    assert before.refresh_token != after.refresh_token
    assert claims_of(after.access_token)["aud"] == f"{ISSUER}{API}"
