"""Modules of the OpenID Foundation's basic and dynamic plans on userinfo, codes that come again, and refresh tokens."""

import json
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from portico.users.services import ProfileChanges, Users
from tests.oauth.kit import FORM, House, claims_of
from tests.oauth.presenting import told, verified

pytestmark = pytest.mark.anyio


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


@pytest.mark.bar("A25-25.7")
async def test_oidcc_userinfo_get(house: House) -> None:
    tokens = await house.tokens(await house.client())

    answer = await told(house, tokens["access_token"])

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["sub"] == claims_of(tokens["id_token"])["sub"]


@pytest.mark.bar("A25-25.7")
async def test_oidcc_userinfo_post_header(house: House) -> None:
    tokens = await house.tokens(await house.client())
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}

    answer = await house.http.post("/oauth/userinfo", headers=headers)

    assert answer.status_code == 200
    assert answer.json()["sub"] == claims_of(tokens["id_token"])["sub"]


@pytest.mark.bar("A25-25.7")
async def test_oidcc_userinfo_post_body(house: House) -> None:
    tokens = await house.tokens(await house.client())
    body = urlencode({"access_token": tokens["access_token"]})

    answer = await house.http.post("/oauth/userinfo", content=body, headers=FORM)

    assert answer.status_code == 200
    assert answer.json()["sub"] == claims_of(tokens["id_token"])["sub"]


@pytest.mark.bar("A25-25.7")
async def test_oidcc_userinfo_rs256(house: House) -> None:
    client = await house.client(userinfo_signed_response_alg="RS256")
    tokens = await house.tokens(client)

    answer = await told(house, tokens["access_token"])

    assert answer.headers["content-type"] == "application/jwt"
    header, claims = await verified(house, answer.text)
    assert header["alg"] == "RS256"
    assert (claims["iss"], claims["aud"]) == ("http://localhost:8000", client.client_id)
    assert claims["sub"] == claims_of(tokens["id_token"])["sub"]


@pytest.mark.bar("A25-25.6")
async def test_oidcc_claims_essential(house: House) -> None:
    users = Users(house.runtime, house.runtime.unit())
    await users.update_profile(house.people["ada"].id, ProfileChanges(full_name="Ada Lovelace"))
    wanted = json.dumps({"userinfo": {"name": {"essential": True}}})

    tokens = await house.tokens(await house.client(), claims=wanted)

    assert (await told(house, tokens["access_token"])).json()["name"] == "Ada Lovelace"


@pytest.mark.bar("A25-25.2")
async def test_oidcc_claims_locales(house: House) -> None:
    tokens = await house.tokens(await house.client(), scope="openid profile", claims_locales="se de-CH")

    assert (await told(house, tokens["access_token"])).status_code == 200


@pytest.mark.bar("A1-1.10", "CHECK-7")
async def test_oidcc_codereuse(house: House) -> None:
    client = await house.client()
    back = await house.authorize(client)
    await house.exchange(client, back)

    again = await house.exchanged(client, back)

    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


@pytest.mark.bar("A1-1.10", "CHECK-7")
async def test_oidcc_codereuse_30seconds(house: House) -> None:
    client = await house.client()
    back = await house.authorize(client)
    tokens = await house.exchange(client, back)
    assert (await told(house, tokens["access_token"])).status_code == 200

    house.clock.advance(timedelta(seconds=30))
    again = await house.exchanged(client, back)

    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await told(house, tokens["access_token"])).status_code == 401
    assert (await house.refreshed(client, tokens["refresh_token"])).json()["error"] == "invalid_grant"


@pytest.mark.bar("A25-25.8", "A25-25.1")
async def test_oidcc_refresh_token(house: House) -> None:
    client, other = await house.client(), await house.client()
    asked = {"scope": "openid offline_access", "prompt": "consent", "nonce": "n-1"}
    first = await house.tokens(client, **asked)

    answer = await house.refreshed(client, first["refresh_token"])

    assert answer.status_code == 200
    second = answer.json()
    old, new = claims_of(first["id_token"]), claims_of(second["id_token"])
    assert all(new[name] == old[name] for name in ("iss", "sub", "aud", "auth_time"))
    assert new["iat"] >= old["iat"]
    assert second["access_token"] != first["access_token"]
    assert (await told(house, second["access_token"])).json()["sub"] == old["sub"]
    stolen = await house.refreshed(other, second["refresh_token"])
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
