"""The authorization code flow from end to end (rows 1.x, 12.1)."""

import pytest

from tests.oauth.kit import House, claims_of

pytestmark = pytest.mark.anyio


async def test_a_code_becomes_tokens(house: House) -> None:
    client = await house.client()

    back = await house.authorize(client, scope="openid profile", nonce="n-1")
    tokens = await house.exchange(client, back)

    assert back["state"] == "st-1"
    assert back["iss"] == "http://localhost:8000"
    assert tokens["token_type"] == "Bearer"
    access, identity = claims_of(tokens["access_token"]), claims_of(tokens["id_token"])
    assert access["aud"] == access["iss"] == identity["iss"]
    assert identity["nonce"] == "n-1"
    assert identity["aud"] == access["client_id"] == client.client_id
    assert identity["sub"] == access["sub"] == str(house.people["ada"].id)


@pytest.mark.bar("A1-1.10", "ASVS-10.4.10")
async def test_a_spent_code_that_another_client_shows_ends_nothing(house: House) -> None:
    """Whoever finds an old code in a log cannot sign people out of a client that is not his."""
    client, other = await house.client(), await house.client()
    back = await house.authorize(client)
    tokens = await house.exchange(client, back)

    refused = await house.exchanged(other, back)

    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert (await house.refreshed(client, tokens["refresh_token"])).status_code == 200


async def test_refresh_tokens_rotate(house: House) -> None:
    client = await house.public_client()
    first = await house.tokens(client, resource="https://api.example.com/mcp", scope=None)

    second = await house.refreshed(client, first["refresh_token"])

    assert second.status_code == 200, second.text
    assert second.json()["refresh_token"] != first["refresh_token"]
    assert claims_of(second.json()["access_token"])["aud"] == "https://api.example.com/mcp"
    assert second.json()["scope"] == "tools:read"


async def test_a_client_gets_a_token_of_its_own(house: House) -> None:
    client = await house.client(redirect_uris=[], grant_types=["client_credentials"])

    answer = await house.token(
        client, grant_type="client_credentials", resource="https://api.example.com/mcp", scope="tools:write"
    )

    assert answer.status_code == 200, answer.text
    assert "refresh_token" not in answer.json()
    assert claims_of(answer.json()["access_token"])["sub"] == client.client_id


async def test_somebody_signs_in_on_the_way(house: House) -> None:
    client = await house.client()
    asked = await house.ask(client, None)

    entered = await house.sign_in(asked.headers["location"], "ada")
    assert entered.status_code == 303, entered.text
    resumed = await house.get(entered.headers["location"], "ada")
    back = await house.answer(resumed)

    assert back.headers["location"].startswith(f"{client.redirect_uri}?code=")
