"""What tokens are for, wherever they are asked for (RFC 8707; rows 6.1 to 6.3, 30.6)."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from tests.oauth.kit import House, TestClient, claims_of, returned

pytestmark = pytest.mark.anyio

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
MCP, NOTES, NOWHERE = "https://api.example.com/mcp", "https://notes.example.com/", "https://nowhere.example/"

type Asking = Callable[[House, TestClient, str], Awaitable[tuple[bool, str | None]]]
"""Asks for a resource; tells whether that was let through, and the error if not."""


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


@pytest.fixture
async def client(house: House) -> TestClient:
    return await house.client(
        grant_types=["authorization_code", "refresh_token", "client_credentials", DEVICE_CODE]
    )


def outcome(answer: httpx2.Response) -> tuple[bool, str | None]:
    return answer.is_success, answer.json().get("error")


async def by_authorization(house: House, client: TestClient, resource: str) -> tuple[bool, str | None]:
    asked = await house.ask(client, scope="openid", resource=resource)
    if asked.headers["location"].startswith("/oauth/consent"):
        return True, None
    return "code" in returned(asked), returned(asked).get("error")


async def by_push(house: House, client: TestClient, resource: str) -> tuple[bool, str | None]:
    given = house.request(client, scope="openid", resource=resource)
    return outcome(await house.http.post("/oauth/par", data=given, headers=client.basic))


async def by_device(house: House, client: TestClient, resource: str) -> tuple[bool, str | None]:
    given = {"scope": "openid", "resource": resource}
    return outcome(await house.http.post("/oauth/device_authorization", data=given, headers=client.basic))


async def by_code(house: House, client: TestClient, resource: str) -> tuple[bool, str | None]:
    back = await house.authorize(client, scope="tools:read", resource=MCP)
    return outcome(await house.exchanged(client, back, resource=resource))


async def by_refresh(house: House, client: TestClient, resource: str) -> tuple[bool, str | None]:
    tokens = await house.tokens(client, scope="tools:read", resource=MCP)
    return outcome(await house.refreshed(client, tokens["refresh_token"], resource=resource))


async def by_itself(house: House, client: TestClient, resource: str) -> tuple[bool, str | None]:
    given: dict[str, Any] = {"grant_type": "client_credentials", "scope": "tools:read"}
    return outcome(await house.token(client, **given, resource=resource))


@pytest.mark.bar("A6-6.1", "A30-30.6")
@pytest.mark.parametrize("ask", [by_authorization, by_push, by_device, by_code, by_refresh, by_itself])
async def test_a_resource_is_taken_everywhere_and_an_unknown_one_nowhere(
    house: House, client: TestClient, ask: Asking
) -> None:
    assert await ask(house, client, MCP) == (True, None)
    for resource in (NOWHERE, MCP + "#part", "mcp", MCP + "/deeper"):
        assert await ask(house, client, resource) == (False, "invalid_target"), resource


@pytest.mark.bar("A6-6.2", "A30-30.6")
async def test_a_token_request_narrows_and_a_refresh_keeps(house: House, client: TestClient) -> None:
    """RFC 8707, section 2.2: the code's token is for one of both, the refresh token still for either, and no third."""
    both: dict[str, Any] = {"scope": "tools:read notes:read", "resource": [MCP, NOTES]}
    tokens = await house.exchange(client, await house.authorize(client, **both), resource=NOTES)

    other = await house.refreshed(client, tokens["refresh_token"], resource=MCP)
    again = await house.refreshed(client, other.json()["refresh_token"], resource=NOTES)
    more = await house.refreshed(
        client, again.json()["refresh_token"], resource="http://localhost:8000/api/v1"
    )

    audiences = [claims_of(each["access_token"])["aud"] for each in (tokens, other.json(), again.json())]
    assert audiences == [NOTES, MCP, NOTES]
    assert outcome(more) == (False, "invalid_target")


@pytest.mark.bar("A6-6.2")
async def test_what_was_granted_for_one_is_not_widened(house: House, client: TestClient) -> None:
    """Neither with the code nor by refreshing, though the client may ask for the other by itself."""
    narrow = {"scope": "tools:read", "resource": MCP}
    back = await house.authorize(client, **narrow)

    widened = await house.exchanged(client, back, resource=NOTES)
    tokens = await house.tokens(client, **narrow)
    refreshed = await house.refreshed(client, tokens["refresh_token"], resource=NOTES)

    assert [outcome(answer) for answer in (widened, refreshed)] == [(False, "invalid_target")] * 2


@pytest.mark.bar("A6-6.3")
async def test_a_token_is_for_one_resource(house: House, client: TestClient) -> None:
    """Its audience is what was asked for and nothing beside it; of two at once none is given."""
    both: dict[str, Any] = {"scope": "tools:read notes:read", "resource": [MCP, NOTES]}
    back = await house.authorize(client, **both)

    two = await house.exchanged(client, back, resource=[MCP, NOTES])
    own = await house.token(client, grant_type="client_credentials", scope="tools:read", resource=MCP)
    two_of_its_own = await house.token(client, grant_type="client_credentials", resource=[MCP, NOTES])

    assert outcome(two) == outcome(two_of_its_own) == (False, "invalid_target")
    assert claims_of(own.json()["access_token"])["aud"] == MCP
