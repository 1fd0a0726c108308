"""Tokens that are given back (RFC 7009)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import product

import httpx2
import pytest

from portico.app import assemble, default_features
from portico.composition import compose, opened
from portico.oauth.types import ClientPolicy, TokenFormat
from tests.oauth.kit import FORM, House
from tests.oauth.presenting import TOOLS, altered, introspected, is_active, revoked, told

pytestmark = pytest.mark.anyio

OPAQUE = ClientPolicy(token_format=TokenFormat.OPAQUE)


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


@pytest.mark.bar("A9-9.1")
@pytest.mark.parametrize("policy", [ClientPolicy(), OPAQUE], ids=["jwt", "opaque"])
async def test_a_revoked_access_token_is_refused_at_once_and_alone(
    house: House, policy: ClientPolicy
) -> None:
    client = await house.client(policy=policy)
    tokens = await house.tokens(client)
    assert (await told(house, tokens["access_token"])).status_code == 200

    answer = await revoked(house, client, tokens["access_token"])

    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["cache-control"] == "no-store"
    assert (await told(house, tokens["access_token"])).status_code == 401
    assert not await is_active(house, client, tokens["access_token"])
    refreshed = await house.refreshed(client, tokens["refresh_token"])
    assert refreshed.status_code == 200
    assert (await told(house, refreshed.json()["access_token"])).status_code == 200


@pytest.mark.bar("A9-9.1", "CHECK-3")
@pytest.mark.parametrize("hint", [None, "refresh_token", "access_token", "nonsense"])
async def test_a_revoked_refresh_token_takes_its_access_tokens_along(house: House, hint: str | None) -> None:
    client = await house.public_client()
    tokens = await house.tokens(client)
    assert (await told(house, tokens["access_token"])).status_code == 200

    answer = await revoked(
        house, client, tokens["refresh_token"], **({"token_type_hint": hint} if hint else {})
    )

    assert answer.status_code == 200
    assert (await told(house, tokens["access_token"])).status_code == 401
    assert (await house.refreshed(client, tokens["refresh_token"])).json()["error"] == "invalid_grant"


@pytest.mark.bar("A9-9.1")
async def test_tokens_of_another_client_stay_good(house: House) -> None:
    other = await house.client()
    for policy in (ClientPolicy(), OPAQUE):
        client = await house.client(policy=policy)
        tokens = await house.tokens(client)

        for token in (tokens["access_token"], tokens["refresh_token"]):
            answer = await revoked(house, other, token)
            assert (answer.status_code, answer.content) == (200, b"")

        assert (await told(house, tokens["access_token"])).status_code == 200
        assert (await house.refreshed(client, tokens["refresh_token"])).status_code == 200


@pytest.mark.bar("A9-9.1")
async def test_what_is_no_token_is_answered_like_one(house: House) -> None:
    client = await house.client()
    tokens = await house.tokens(client)
    first_party = house.people["ada"]

    for token in (
        "nonsense",
        altered(tokens["access_token"]),
        tokens["refresh_token"][:-1] + "x",
        "pot_" + "a" * 49,
        first_party.access_token,
        first_party.refresh_token,
    ):
        answer = await revoked(house, client, token)
        assert (answer.status_code, answer.content) == (200, b"")
    me = await house.http.get("/api/v1/users/me", headers=first_party.bearer)
    assert me.status_code == 200


@pytest.mark.bar("A9-9.1")
async def test_an_id_token_cannot_be_revoked(house: House) -> None:
    client, other = await house.client(), await house.client()
    tokens = await house.tokens(client)

    assert (await revoked(house, client, tokens["id_token"])).json()["error"] == "unsupported_token_type"
    assert (await revoked(house, other, tokens["id_token"])).status_code == 200


@pytest.mark.bar("A9-9.1")
async def test_the_client_authenticates_as_at_the_token_endpoint(house: House) -> None:
    client = await house.client()
    token = (await house.tokens(client))["access_token"]
    wrong = replace(client, secret="pcs_" + "a" * 49)
    nameless = await house.http.post("/oauth/revoke", content=f"token={token}", headers=FORM)

    answers = {
        "wrong secret": await revoked(house, wrong, token),
        "nobody": nameless,
        "another name": await revoked(house, client, token, client_id="another"),
        "no token": await revoked(house, client, None),
        "two tokens": await house.http.post(
            "/oauth/revoke", content=f"token={token}&token={token}", headers={**FORM, **client.basic}
        ),
        "no form": await house.http.post("/oauth/revoke", json={"token": token}, headers=client.basic),
    }

    assert {name: (each.status_code, each.json()["error"]) for name, each in answers.items()} == {
        "wrong secret": (401, "invalid_client"),
        "nobody": (401, "invalid_client"),
        "another name": (400, "invalid_request"),
        "no token": (400, "invalid_request"),
        "two tokens": (400, "invalid_request"),
        "no form": (400, "invalid_request"),
    }
    assert (await told(house, token)).status_code == 200
    assert (await house.http.get("/oauth/revoke")).status_code == 405


@pytest.mark.bar("A9-9.1")
async def test_revoking_twice_is_like_revoking_once(house: House) -> None:
    client = await house.client()
    tokens = await house.tokens(client)

    answers = [
        await revoked(house, client, tokens[name])
        for name in ("access_token", "access_token", "refresh_token", "refresh_token")
    ]

    assert [(each.status_code, each.content) for each in answers] == [(200, b"")] * 4


@pytest.mark.bar("CHECK-12")
async def test_of_racers_who_refresh_and_revoke_nobody_keeps_a_good_token(house: House) -> None:
    client = await house.client()
    tokens = await house.tokens(client)

    racers = [house.refreshed(client, tokens["refresh_token"]) for _ in range(8)]
    answers = await asyncio.gather(*racers, revoked(house, client, tokens["refresh_token"]))

    assert answers[-1].status_code == 200
    for answer in answers[:-1]:
        if answer.status_code == 200:
            assert (await told(house, answer.json()["access_token"])).status_code == 401
            again = await house.refreshed(client, answer.json()["refresh_token"])
            assert again.json()["error"] == "invalid_grant"


@pytest.fixture
async def other_node(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    """A second node on the same database, with caches and a log follower of its own."""
    settings = house.runtime.settings
    async with AsyncExitStack() as stack:
        composed = compose(settings, default_features(), clock=house.clock)
        other = await stack.enter_async_context(opened(composed))
        transport = httpx2.ASGITransport(app=assemble(other), raise_app_exceptions=False)
        client = httpx2.AsyncClient(transport=transport, base_url=settings.public_url)
        yield await stack.enter_async_context(client)


@pytest.mark.bar("P6", "CHECK-3", "A9-9.1")
async def test_revoked_is_refused_on_every_node(house: House, other_node: httpx2.AsyncClient) -> None:
    here, there = house, replace(house, http=other_node)
    for policy, kind in product((ClientPolicy(), OPAQUE), ("access_token", "refresh_token")):
        client = await house.client(policy=policy)
        tokens = await house.tokens(client, resource=TOOLS, scope="openid tools:read")
        assert await is_active(there, client, tokens["access_token"])  # believed from memory from now on
        assert await is_active(here, client, tokens["access_token"])

        assert (await revoked(here, client, tokens[kind])).status_code == 200

        assert (await introspected(there, client, tokens["access_token"])).json() == {"active": False}
        assert not await is_active(here, client, tokens["access_token"])
