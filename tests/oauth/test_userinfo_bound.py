"""Tokens that are bound to a certificate, or to a key whose proofs carry a nonce of ours, at userinfo and our API."""

from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from portico.oauth.protocol.rfc9449_dpop import token_hash
from tests.oauth.keyed import Keyed
from tests.oauth.kit import House
from tests.oauth.presenting import DpopKey, told
from tests.oauth.protocol.certificates import certificate, pem
from tests.oauth.protocol.foreign_keys import rsa_key

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


OURS = "http://localhost:8000/api/v1"
ME = "/api/v1/users/me"


async def asked_us(house: House, token: str, **headers: str) -> httpx2.Response:
    """Show a bound token to our own API."""
    house.http.cookies.clear()
    return await house.http.get(ME, headers={"Authorization": f"DPoP {token}", **headers})


async def bound_token(house: House, key: DpopKey) -> str:
    """Return a token for our own API that is bound to a key."""
    client = await house.client()
    back = await house.authorize(client, resource=OURS, scope="user:self:read")
    first = await house.exchanged(client, back, headers=key.proof("POST", "/oauth/token"))
    proof = key.proof("POST", "/oauth/token", nonce=first.headers["dpop-nonce"])
    token: str = (await house.exchange(client, back, headers=proof))["access_token"]
    return token


@pytest.mark.bar("A2-2.4", "A15-15.1", "A15-15.2")
async def test_our_own_api_asks_for_a_nonce_as_any_resource_does(house: House) -> None:
    """RFC 9449, sections 7.1 and 9: by a challenge of DPoP, with the nonce beside it."""
    key = DpopKey(house)
    token = await bound_token(house, key)

    without = await asked_us(house, token, **key.proof("GET", ME, token=token))
    nonce = without.headers["dpop-nonce"]
    right = key.proof("GET", ME, token=token, nonce=nonce)
    taken = await asked_us(house, token, **right)
    again = await asked_us(house, token, **right)
    strange = await asked_us(house, token, **DpopKey(house).proof("GET", ME, token=token, nonce=nonce))

    assert without.status_code == 401
    assert without.headers["www-authenticate"].startswith('DPoP realm="portico", error="use_dpop_nonce", ')
    assert 'algs="' in without.headers["www-authenticate"]
    assert taken.status_code == 200, taken.text
    for answer, error in ((again, "invalid_dpop_proof"), (strange, "invalid_token")):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith(f'DPoP realm="portico", error="{error}", ')
        assert "dpop-nonce" not in answer.headers


@pytest.mark.bar("A2-2.4")
async def test_our_own_api_takes_a_bound_token_from_no_bearer(house: House) -> None:
    token = await bound_token(house, DpopKey(house))
    house.http.cookies.clear()

    answer = await house.http.get(ME, headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.bar("A24-24.1")
@pytest.mark.parametrize("path", [PATH, ME], ids=["userinfo", "our own API"])
async def test_proofs_of_fapi_clients_are_signed_strongly_everywhere(house: House, path: str) -> None:
    """FAPI 2.0, section 5.4.1: RS256 is not, though the client's own key made the proof."""
    keyed = await Keyed.fapi(house, proof_key=rsa_key())
    wanted = {"resource": OURS, "scope": "user:self:read"} if path == ME else {}
    back = await keyed.code(**wanted)
    first = await keyed.try_exchange(back, headers={"DPoP": keyed.proof(alg="PS256")})
    keyed.nonce = first.headers["dpop-nonce"]
    token = (await keyed.exchange(back, headers={"DPoP": keyed.proof(alg="PS256")}))["access_token"]

    answers = {
        alg: await house.http.get(
            path,
            headers={
                "Authorization": f"DPoP {token}",
                "DPoP": keyed.proof(path, "GET", ath=token_hash(token), alg=alg),
            },
        )
        for alg in ("RS256", "PS256")
    }

    assert {alg: answer.status_code for alg, answer in answers.items()} == {"RS256": 401, "PS256": 200}
    assert 'error="invalid_dpop_proof"' in answers["RS256"].headers["www-authenticate"]
