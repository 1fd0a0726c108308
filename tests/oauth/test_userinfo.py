"""What clients may read of a person (OpenID Connect Core 1.0, section 5.3)."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from portico.keys.services import Keyring
from portico.keys.types import KeyPurpose
from portico.oauth.types import ClientPolicy, TokenFormat
from portico.users.services import ProfileChanges, Users
from tests.oauth.kit import FORM, House, claims_of
from tests.oauth.presenting import TOOLS, DpopKey, altered, revoked, told, verified

pytestmark = pytest.mark.anyio

OPAQUE = ClientPolicy(token_format=TokenFormat.OPAQUE)
BEARER = 'Bearer realm="portico"'


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


async def by_form(house: House, token: str, **headers: str) -> httpx2.Response:
    """Show the token in a form."""
    house.http.cookies.clear()
    body = urlencode({"access_token": token})
    return await house.http.post("/oauth/userinfo", content=body, headers={**FORM, **headers})


@pytest.mark.bar("A25-25.7")
async def test_it_is_asked_by_get_and_post_from_any_page(house: House) -> None:
    token = (await house.tokens(await house.client(), scope="openid email"))["access_token"]

    answers = [
        await told(house, token, Origin="https://app.example"),
        await told(house, token, scheme="bEARER"),
        await house.http.post("/oauth/userinfo", headers={"Authorization": f"Bearer {token}"}),
        await by_form(house, token),
    ]

    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.json() == {
            "sub": str(house.people["ada"].id),
            "email": "ada@example.org",
            "email_verified": True,
        }


@pytest.mark.bar("A2-2.1", "A2-2.4", "A25-25.7")
async def test_without_a_token_it_tells_how_to_show_one(house: House) -> None:
    for answer in (
        await told(house, None),
        await told(house, "dXNlcjpwYXNz", scheme="Basic"),
        await house.get("/oauth/userinfo", "ada"),
        await house.http.post("/oauth/userinfo"),
        await house.http.get("/oauth/userinfo?access_token=anything"),
    ):
        assert answer.status_code == 401
        challenges = answer.headers.get_list("www-authenticate")
        assert challenges[0] == BEARER
        assert challenges[1].startswith('DPoP realm="portico", algs="')
        assert all("error" not in each for each in challenges)
        assert answer.content == b""


@pytest.mark.bar("A2-2.2", "CHECK-4")
async def test_tokens_that_are_not_for_it_are_refused(house: House) -> None:
    client = await house.client()
    tokens = await house.tokens(client)
    elsewhere = await house.tokens(client, resource=TOOLS, scope="openid tools:read")
    opaque = await house.client(policy=OPAQUE)
    kept_elsewhere = await house.tokens(opaque, resource=TOOLS, scope="openid tools:read")
    ada = house.people["ada"]
    userinfo = house.runtime.get(Keyring)
    claims = claims_of(tokens["access_token"])

    for token in (
        altered(tokens["access_token"]),
        elsewhere["access_token"],
        kept_elsewhere["access_token"],
        tokens["id_token"],
        tokens["refresh_token"],
        ada.access_token,
        ada.refresh_token,
        "nonsense",
        "pot_" + "a" * 49,
        userinfo.sign({**claims, "iss": "https://else.where"}, purpose=KeyPurpose.ACCESS_TOKEN, typ="at+jwt"),
        userinfo.sign(claims, purpose=KeyPurpose.ACCESS_TOKEN, typ="JWT"),
    ):
        answer = await told(house, token)
        assert answer.status_code == 401, token
        assert answer.json()["error"] == "invalid_token"
        assert answer.headers["www-authenticate"].startswith(f'{BEARER}, error="invalid_token"')


@pytest.mark.bar("A2-2.2", "A2-2.3")
async def test_malformed_requests_and_lacking_scopes(house: House) -> None:
    machine = await house.client(redirect_uris=[], grant_types=["client_credentials"])
    own = (await house.token(machine, grant_type="client_credentials")).json()["access_token"]
    token = (await house.tokens(await house.client()))["access_token"]
    twice = f"access_token={token}&access_token={token}"

    for answer in (
        await told(house, f"{token} more"),
        await told(house, "a" * 8193),
        await told(house, 'quo"ted'),
        await by_form(house, token, Authorization=f"Bearer {token}"),
        await house.http.post("/oauth/userinfo", content=twice, headers=FORM),
    ):
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    lacking = await told(house, own)
    assert (lacking.status_code, lacking.json()["error"]) == (403, "insufficient_scope")
    assert 'scope="openid"' in lacking.headers["www-authenticate"]


@pytest.mark.bar("A25-25.7", "ASVS-7.4.1")
@pytest.mark.parametrize("policy", [ClientPolicy(), OPAQUE], ids=["jwt", "opaque"])
async def test_it_follows_the_person_and_ends_with_the_token(house: House, policy: ClientPolicy) -> None:
    name = f"carl-{policy.token_format}"
    client, carl = await house.client(policy=policy), await house.person(name)
    tokens = await house.tokens(client, name, scope="openid profile")
    token = tokens["access_token"]
    assert "name" not in (await told(house, token)).json()
    users = Users(house.runtime, house.runtime.unit())
    await users.update_profile(carl.id, ProfileChanges(full_name="Ada King Lovelace"))

    said = (await told(house, token)).json()
    other = (await house.refreshed(client, tokens["refresh_token"])).json()["access_token"]
    assert (await told(house, other)).status_code == 200
    await revoked(house, client, other)

    assert (said["name"], said["given_name"], said["family_name"]) == (
        "Ada King Lovelace",
        "Ada King",
        "Lovelace",
    )
    assert (await told(house, other)).status_code == 401
    assert (await told(house, token)).status_code == 200
    house.clock.advance(timedelta(minutes=15))
    assert (await told(house, token)).status_code == 401


@pytest.mark.bar("A25-25.7")
async def test_a_signed_answer_is_for_one_client_and_no_id_token(house: House) -> None:
    client = await house.client(userinfo_signed_response_alg="RS256")
    tokens = await house.tokens(client, scope="openid email")

    answer = await told(house, tokens["access_token"])

    assert answer.headers["content-type"] == "application/jwt"
    header, claims = await verified(house, answer.text)
    assert header["alg"] == "RS256"
    assert claims == {
        "iss": "http://localhost:8000",
        "aud": client.client_id,
        "sub": str(house.people["ada"].id),
        "email": "ada@example.org",
        "email_verified": True,
    }
    hinted = await house.ask(client, id_token_hint=answer.text, prompt="none")
    assert "error=invalid_request" in hinted.headers["location"]


@pytest.mark.bar("A25-25.6", "A25-25.9")
async def test_claims_by_scope_by_name_and_the_subject_of_the_sector(house: House) -> None:
    client = await house.client(subject_type="pairwise")
    wanted = json.dumps(
        {"userinfo": {"email": {"essential": True}, "unheard_of": None}, "id_token": {"name": None}}
    )

    tokens = await house.tokens(client, claims=wanted)
    said = (await told(house, tokens["access_token"])).json()

    assert said == {"sub": claims_of(tokens["id_token"])["sub"], "email": "ada@example.org"}
    assert said["sub"] != str(house.people["ada"].id)


@pytest.mark.bar("A15-15.1", "A15-15.2", "A2-2.4")
async def test_a_token_with_a_key_is_shown_with_that_key(house: House) -> None:
    client, key, other = await house.public_client(), DpopKey(house), DpopKey(house)
    back = await house.authorize(client)
    tokens = await house.exchange(client, back, headers=key.proof("POST", "/oauth/token"))
    token, plain = tokens["access_token"], (await house.tokens(client))["access_token"]
    path = "/oauth/userinfo"
    good = key.proof("GET", path, token=token)

    assert (await told(house, token, scheme="DPoP", **good)).status_code == 200

    refused: dict[str, Any] = {
        "again": await told(house, token, scheme="DPoP", **good),
        "as a bearer's": await told(house, token, **key.proof("GET", path, token=token)),
        "without a proof": await told(house, token, scheme="DPoP"),
        "another key": await told(house, token, scheme="DPoP", **other.proof("GET", path, token=token)),
        "another token": await told(house, token, scheme="DPoP", **key.proof("GET", path, token=plain)),
        "no token hash": await told(house, token, scheme="DPoP", **key.proof("GET", path)),
        "another method": await told(house, token, scheme="DPoP", **key.proof("POST", path, token=token)),
        "another path": await told(
            house, token, scheme="DPoP", **key.proof("GET", "/oauth/token", token=token)
        ),
        "a plain token": await told(house, plain, scheme="DPoP", **key.proof("GET", path, token=plain)),
    }

    assert {name: (each.status_code, each.json()["error"]) for name, each in refused.items()} == {
        "again": (401, "invalid_dpop_proof"),
        "as a bearer's": (401, "invalid_token"),
        "without a proof": (401, "invalid_dpop_proof"),
        "another key": (401, "invalid_token"),
        "another token": (401, "invalid_dpop_proof"),
        "no token hash": (401, "invalid_dpop_proof"),
        "another method": (401, "invalid_dpop_proof"),
        "another path": (401, "invalid_dpop_proof"),
        "a plain token": (401, "invalid_token"),
    }
    for name, answer in refused.items():
        scheme = "Bearer" if name == "as a bearer's" else "DPoP"
        assert answer.headers["www-authenticate"].startswith(f"{scheme} "), name


@pytest.mark.bar("CHECK-3")
async def test_a_person_who_is_switched_off_is_told_of_no_more(house: House) -> None:
    gone = await house.person("gone")
    token = (await house.tokens(await house.client(), "gone"))["access_token"]
    assert (await told(house, token)).status_code == 200

    await Users(house.runtime, house.runtime.unit()).deactivate_user(gone.id)

    assert (await told(house, token)).status_code == 401


async def test_the_description_says_that_a_token_is_needed(house: House) -> None:
    described = (await house.http.get("/openapi.json")).json()

    operations = described["paths"]["/oauth/userinfo"]
    assert {method: each["security"] for method, each in operations.items()} == {
        "get": [{"openid": ["openid"]}],
        "post": [{"openid": ["openid"]}],
    }
    scheme = described["components"]["securitySchemes"]["openid"]
    assert scheme["type"] == "openIdConnect"
    assert (await house.http.get(scheme["openIdConnectUrl"])).json()["userinfo_endpoint"]
