"""What tokens are worth, told to whom they concern (RFC 7662; RFC 9701)."""

from datetime import timedelta
from typing import Any

import pytest

from portico.coordination.revocations import RevocationLog
from portico.core.ids import new_id
from portico.keys.services import Keyring, rotate_keys
from portico.keys.types import KeyPurpose
from portico.oauth.models import OAuthResource
from portico.oauth.services.grants import Grants
from portico.oauth.services.resources import SUBJECT
from portico.oauth.types import ClientPolicy, GrantEnd, TokenFormat
from portico.users.services import Users
from tests.oauth.kit import FORM, House, TestClient, claims_of
from tests.oauth.presenting import (
    INACTIVE,
    TOOLS,
    DpopKey,
    altered,
    introspected,
    is_active,
    verified,
)

pytestmark = pytest.mark.anyio

JWT_ANSWER = "application/token-introspection+jwt"
OPAQUE = ClientPolicy(token_format=TokenFormat.OPAQUE)
MACHINE: dict[str, Any] = {"redirect_uris": [], "grant_types": ["client_credentials"]}
API = "http://localhost:8000/api/v1"


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


async def guard_of(house: House, *resources: str, **members: Any) -> TestClient:
    """Return a resource server that may ask about tokens for its resources."""
    return await house.client(policy=ClientPolicy(resources=resources), **MACHINE, **members)


@pytest.mark.bar("A10-10.1")
@pytest.mark.parametrize("policy", [ClientPolicy(), OPAQUE], ids=["jwt", "opaque"])
async def test_a_resource_server_learns_what_a_token_says(house: House, policy: ClientPolicy) -> None:
    guard, client = await guard_of(house, TOOLS), await house.client(policy=policy)
    tokens = await house.tokens(client, resource=TOOLS, scope="openid tools:read")

    answer = await introspected(house, guard, tokens["access_token"])

    assert answer.headers["cache-control"] == "no-store"
    said = answer.json()
    now = int(house.clock.now().timestamp())
    assert {name: said[name] for name in ("active", "aud", "client_id", "iss", "sub", "token_type")} == {
        "active": True,
        "aud": TOOLS,
        "client_id": client.client_id,
        "iss": "http://localhost:8000",
        "sub": str(house.people["ada"].id),
        "token_type": "Bearer",
    }
    assert set(said["scope"].split()) == {"openid", "tools:read"}
    assert (said["iat"], said["exp"]) == (now, now + 900)
    assert said["jti"]
    assert "grant_id" not in said


@pytest.mark.bar("A10-10.1")
async def test_who_may_hear_of_a_token(house: House) -> None:
    client = await house.client()
    token = (await house.tokens(client, resource=TOOLS, scope="tools:read"))["access_token"]
    listed = await house.client(**MACHINE)
    await _list_at(house, "https://listed.example/api", listed)
    other_token = (await house.tokens(client, resource="https://listed.example/api", scope="listed:read"))[
        "access_token"
    ]

    heard = {
        "its client": await is_active(house, client, token),
        "its resource": await is_active(house, await guard_of(house, TOOLS), token),
        "its resource, written otherwise": await is_active(
            house, await guard_of(house, "HTTPS://API.example.com:443/mcp"), token
        ),
        "another resource": await is_active(
            house, await guard_of(house, "https://notes.example.com/"), token
        ),
        "a client that may ask for everything": await is_active(house, listed, token),
        "who is listed at the resource": await is_active(house, listed, other_token),
        "who is listed elsewhere": await is_active(house, await guard_of(house, TOOLS), other_token),
    }

    assert heard == {
        "its client": True,
        "its resource": True,
        "its resource, written otherwise": True,
        "another resource": False,
        "a client that may ask for everything": False,
        "who is listed at the resource": True,
        "who is listed elsewhere": False,
    }


async def _list_at(house: House, identifier: str, guard: TestClient) -> None:
    now = house.clock.now()
    async with house.runtime.unit() as unit:
        unit.session.add(
            OAuthResource(
                id=new_id(),
                identifier=identifier,
                name="Listed",
                scopes={"listed:read": "Read"},
                default_scope="",
                token_format=None,
                access_token_seconds=None,
                requires_dpop=False,
                introspected_by=[guard.client_id],
                created_at=now,
                updated_at=now,
            )
        )
        await house.runtime.get(RevocationLog).append(unit, [SUBJECT])


@pytest.mark.bar("A10-10.1", "CHECK-4")
async def test_whatever_is_not_good_is_inactive_and_nothing_more(house: House) -> None:
    client = await house.client()
    guard = await guard_of(house, TOOLS)
    tokens = await house.tokens(client, resource=TOOLS, scope="openid tools:read")
    gone = await house.person("gone")
    ended = await house.tokens(client, "gone", resource=TOOLS, scope="tools:read")
    await Users(house.runtime, house.runtime.unit()).deactivate_user(gone.id)
    unsigned = altered(tokens["access_token"])

    for token in (
        "nonsense",
        "x" * 8000,
        unsigned,
        ended["access_token"],
        tokens["id_token"],
        tokens["refresh_token"],
        house.people["bob"].access_token,
        house.people["bob"].cookie,
        "pot_" + "a" * 49,
    ):
        answer = await introspected(house, guard, token)
        assert (answer.status_code, answer.json()) == (200, INACTIVE), token
    assert await is_active(house, guard, tokens["access_token"])

    house.clock.advance(timedelta(minutes=15))
    assert not await is_active(house, guard, tokens["access_token"])


@pytest.mark.bar("A10-10.1", "A1-1.14")
async def test_nobody_asks_without_a_proof(house: House) -> None:
    client, public = await house.client(), await house.public_client()
    token = (await house.tokens(client))["access_token"]

    answers = {
        "nobody": await house.http.post("/oauth/introspect", content=f"token={token}", headers=FORM),
        "a public client": await introspected(house, public, token),
        "a bearer": await house.http.post(
            "/oauth/introspect",
            content=f"token={token}",
            headers={**FORM, "Authorization": f"Bearer {token}"},
        ),
        "no token": await introspected(house, client, None),
    }

    assert {name: (each.status_code, each.json()["error"]) for name, each in answers.items()} == {
        "nobody": (401, "invalid_client"),
        "a public client": (401, "invalid_client"),
        "a bearer": (401, "invalid_client"),
        "no token": (400, "invalid_request"),
    }


@pytest.mark.bar("A10-10.2")
async def test_a_signed_answer_is_no_token(house: House) -> None:
    client = await house.client()
    guard = await guard_of(house, TOOLS, introspection_signed_response_alg="ES256")
    token = (await house.tokens(client, resource=TOOLS, scope="tools:read"))["access_token"]

    plain = await introspected(house, guard, token)
    answer = await introspected(house, guard, token, accept=f"application/json;q=0.5, {JWT_ANSWER}")
    nothing = await introspected(house, client, "nonsense", accept=JWT_ANSWER)

    assert answer.headers["content-type"] == JWT_ANSWER
    header, claims = await verified(house, answer.text)
    assert (header["typ"], header["alg"]) == ("token-introspection+jwt", "ES256")
    assert claims == {
        "iss": "http://localhost:8000",
        "aud": guard.client_id,
        "iat": int(house.clock.now().timestamp()),
        "token_introspection": plain.json(),
    }
    header, claims = await verified(house, nothing.text)
    assert (header["alg"], claims["token_introspection"]) == ("RS256", INACTIVE)
    assert not await is_active(house, guard, answer.text)


@pytest.mark.bar("A10-10.1")
async def test_a_refresh_token_is_told_of_to_its_client_while_it_is_the_last(house: House) -> None:
    client, other = await house.client(), await house.client()
    first = (await house.tokens(client, scope="openid profile"))["refresh_token"]

    answer = await introspected(house, client, first)
    assert not await is_active(house, other, first)
    second = (await house.refreshed(client, first)).json()["refresh_token"]

    said = answer.json()
    assert (said["active"], said["client_id"]) == (True, client.client_id)
    assert said["sub"] == str(house.people["ada"].id)
    assert said["scope"] == "openid profile"
    assert not await is_active(house, client, first)
    assert await is_active(house, client, second)
    assert not await is_active(house, client, house.people["ada"].refresh_token)


@pytest.mark.bar("A10-10.1", "A15-15.1")
async def test_a_bound_token_says_to_what(house: House) -> None:
    client, key = await house.client(**MACHINE), DpopKey(house)
    given = {"grant_type": "client_credentials", "resource": TOOLS, "scope": "tools:read"}
    issued = await house.token(client, headers=key.proof("POST", "/oauth/token"), **given)
    token = issued.json()["access_token"]

    said = (await introspected(house, client, token)).json()

    assert said["token_type"] == "DPoP"
    assert said["cnf"] == claims_of(token)["cnf"]
    assert said["sub"] == client.client_id


@pytest.mark.bar("A10-10.1")
async def test_tokens_of_our_own_sign_in_are_told_of_to_who_stands_for_our_api(house: House) -> None:
    carl = await house.person("carl")
    token = carl.access_token
    guard, other = await guard_of(house, API), await house.client(**MACHINE)

    said = (await introspected(house, guard, token)).json()
    assert not await is_active(house, other, token)
    await house.http.post("/api/v1/auth/logout-all", headers=carl.bearer)

    assert (said["active"], said["aud"], said["client_id"]) == (True, API, "portico")
    assert not await is_active(house, guard, token)


@pytest.mark.bar("CHECK-3", "A10-10.1")
async def test_what_ends_a_grant_is_heard_of_at_once(house: House) -> None:
    guard = await guard_of(house, TOOLS)
    client = await house.client()
    token = (await house.tokens(client, resource=TOOLS, scope="tools:read"))["access_token"]
    assert await is_active(house, guard, token)

    await rotate_keys(house.runtime, house.runtime.unit(), purpose=KeyPurpose.ACCESS_TOKEN)
    await house.runtime.get(Keyring).reload()
    assert await is_active(house, guard, token)
    await Grants(house.runtime, house.runtime.unit()).end_of_client(client.key, GrantEnd.REVOKED_BY_PERSON)

    assert not await is_active(house, guard, token)
