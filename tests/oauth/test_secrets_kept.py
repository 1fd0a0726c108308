"""What the server hands out is hard to guess, and afterwards known to its holder alone (row 1.23)."""

import math
import re
from typing import Any

import pytest

from portico.oauth.types import ClientPolicy, TokenFormat
from tests.integration.ground import dump
from tests.oauth.kit import House, returned

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A1-1.23")]

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
LASTING_OAUTH = {"dynamic_registration": "open"}
BITS = 128
PREFIX = re.compile(r"^(urn:ietf:params:oauth:request_uri:)?[a-z]{3}_")


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


async def every_secret(house: House) -> dict[str, str]:
    """Return one of each kind that clients and browsers are given."""
    client = await house.client(grant_types=["authorization_code", "refresh_token", DEVICE_CODE])
    opaque = await house.client(policy=ClientPolicy(token_format=TokenFormat.OPAQUE))
    pushed = await house.http.post("/oauth/par", data=house.request(client), headers=client.basic)
    device = await house.http.post(
        "/oauth/device_authorization", data={"scope": "openid"}, headers=client.basic
    )
    registered = await house.http.post("/oauth/register", json={"redirect_uris": ["https://app.example/cb"]})
    asked = await house.ask(client)
    ticket = asked.headers["location"].partition("ticket=")[2]
    code = returned(await house.answer(asked))["code"]
    tokens = await house.exchange(client, {"code": code})
    return {
        "code": code,
        "refresh token": tokens["refresh_token"],
        "opaque token": (await house.tokens(opaque))["access_token"],
        "pushed request": pushed.json()["request_uri"],
        "device code": device.json()["device_code"],
        "ticket of a waiting request": ticket,
        "secret of a client": str(client.secret),
        "secret of a stranger": registered.json()["client_secret"],
        "token of its registration": registered.json()["registration_access_token"],
        "signed token": tokens["access_token"],
        "ID token": tokens["id_token"],
    }


async def test_each_has_enough_that_nobody_can_guess_and_is_another_one(house: House) -> None:
    """OAuth 2.1, section 7.1.3.1; of what is left after the prefix, two of a kind have next to nothing in common."""
    first, second = await every_secret(house), await every_secret(house)

    for name in first.keys() - {"signed token", "ID token"}:
        one, other = (PREFIX.sub("", each[name]) for each in (first, second))
        differing = sum(a != b for a, b in zip(one, other, strict=True))
        assert differing * math.log2(64) >= BITS, (name, one, other)


async def test_none_of_them_is_in_the_database_or_a_log(
    house: House, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(0):
        secrets = await every_secret(house)
    stored = await dump(house.runtime)
    said = capsys.readouterr()
    ours = (record.getMessage() for record in caplog.records if record.name.startswith("portico"))
    logged = " ".join([*ours, said.out, said.err])

    found = {
        name: where
        for name, secret in secrets.items()
        for where, text in (("stored", stored), ("logged", logged))
        if secret in text or PREFIX.sub("", secret) in text
    }
    assert found == {}


async def test_access_tokens_are_in_no_address(house: House) -> None:
    """Neither are they handed out by a redirect, nor taken from a query (RFC 9700, section 4.3.2)."""
    client = await house.client()
    token = (await house.tokens(client))["access_token"]
    house.http.cookies.clear()

    for mode in ("query", "fragment"):
        asked = await house.ask(client, response_type="token", response_mode=mode)
        assert "access_token" not in asked.headers["location"]
    for path in ("/oauth/userinfo", "/api/v1/users/me"):
        given: dict[str, Any] = {"access_token": token}
        assert (await house.http.get(path, params=given)).status_code == 401
