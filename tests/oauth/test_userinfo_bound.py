"""Tokens that are bound to a certificate, or to a key whose proofs carry a nonce of ours, at userinfo."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.oauth.kit import House
from tests.oauth.presenting import DpopKey, told
from tests.oauth.protocol.certificates import certificate, pem

pytestmark = pytest.mark.anyio

LASTING_HTTP = {"trusted_proxies": ["127.0.0.1"], "forwarded_header": "x-forwarded-for"}
LASTING_OAUTH = {"tls_certificate_header": "X-Client-Cert", "requires_dpop_nonce": True}
PATH = "/oauth/userinfo"


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


def shown(name: str) -> dict[str, str]:
    """Return the header by which the proxy hands on the certificate of this subject."""
    return {"X-Client-Cert": quote(pem(certificate(name)))}


@pytest.mark.bar("A19-19.1")
async def test_a_token_of_a_certificate_is_shown_with_it(house: House) -> None:
    client = await house.client(tls_client_certificate_bound_access_tokens=True)
    own, strange = shown("CN=own"), shown("CN=strange")
    tokens = await house.exchange(client, await house.authorize(client), headers=own)
    token = tokens["access_token"]

    answers: dict[str, Any] = {
        "with it": await told(house, token, **own),
        "with another": await told(house, token, **strange),
        "without": await told(house, token),
        "with what is none": await told(house, token, **{"X-Client-Cert": "none"}),
    }

    assert {name: answer.status_code for name, answer in answers.items()} == {
        "with it": 200,
        "with another": 401,
        "without": 401,
        "with what is none": 401,
    }
    for name in ("with another", "without", "with what is none"):
        assert answers[name].json()["error"] == "invalid_token"


@pytest.mark.bar("A15-15.1", "A15-15.2")
async def test_a_proof_without_our_nonce_is_told_one(house: House) -> None:
    client, key = await house.client(), DpopKey(house)
    back = await house.authorize(client)
    first = await house.exchanged(client, back, headers=key.proof("POST", "/oauth/token"))
    nonce = first.headers["dpop-nonce"]
    token = (await house.exchange(client, back, headers=key.proof("POST", "/oauth/token", nonce=nonce)))[
        "access_token"
    ]

    without = await told(house, token, scheme="DPoP", **key.proof("GET", PATH, token=token))
    fresh = without.headers["dpop-nonce"]
    wrong = await told(house, token, scheme="DPoP", **key.proof("GET", PATH, token=token, nonce="made-up"))
    right = await told(house, token, scheme="DPoP", **key.proof("GET", PATH, token=token, nonce=fresh))

    for answer in (without, wrong):
        assert (answer.status_code, answer.json()["error"]) == (401, "use_dpop_nonce")
        assert answer.headers["www-authenticate"].startswith('DPoP realm="portico", error="use_dpop_nonce"')
        assert "DPoP-Nonce" in answer.headers["access-control-expose-headers"]
    assert right.status_code == 200
