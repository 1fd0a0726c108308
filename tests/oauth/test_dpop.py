"""Tokens that are bound to a key (rows 15.1, 15.2)."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from tests.oauth.keyed import LEAVE_OUT, Keyed, refused, thumbprint
from tests.oauth.kit import House, TestClient, claims_of, returned
from tests.oauth.protocol.foreign_keys import ec_key, ed_key, key_for, rsa_key

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A15-15.1")]

OF_ITSELF: dict[str, Any] = {"grant_type": "client_credentials", "scope": "tools:read"}
STRICT = "https://strict.example.com/"
LASTING_OAUTH = {
    "resources": [
        {"identifier": "https://api.example.com/mcp", "scopes": {"tools:read": "", "tools:write": ""}},
        {"identifier": STRICT, "scopes": {"strict:read": ""}, "requires_dpop": True},
    ]
}


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


async def machine(house: House, **members: Any) -> Keyed:
    return await Keyed.register(
        house,
        redirect_uris=[],
        grant_types=["client_credentials"],
        proof_key=ec_key("proof"),
        **members,
    )


async def with_proof(keyed: Keyed, proof: str) -> httpx2.Response:
    return await keyed.token(headers={"DPoP": proof}, **OF_ITSELF)


@pytest.mark.bar("A15-15.2")
@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "PS256", "RS256", "EdDSA"])
async def test_a_token_is_bound_to_the_key_of_the_proof(house: House, alg: str) -> None:
    keyed = await machine(house)
    key = key_for(alg)

    answer = await with_proof(keyed, keyed.proof(key=key, alg=alg))

    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "DPoP"
    assert claims_of(answer.json()["access_token"])["cnf"] == {"jkt": thumbprint(key)}


@pytest.mark.parametrize(
    "claims",
    [
        {"htm": "GET"},
        {"htm": LEAVE_OUT},
        {"htu": "http://localhost:8000/oauth/revoke"},
        {"htu": "https://localhost:8000/oauth/token"},
        {"htu": "http://evil.example/oauth/token"},
        {"htu": LEAVE_OUT},
        {"jti": LEAVE_OUT},
        {"jti": ""},
        {"jti": "x" * 300},
        {"iat": LEAVE_OUT},
        {"iat": "now"},
        {"iat": 1_000_000_000},
        {"iat": 9_999_999_999},
        {"exp": 1_000_000_000},
        {"nbf": 9_999_999_999},
    ],
    ids=str,
)
async def test_a_proof_says_what_it_must(house: House, claims: dict[str, Any]) -> None:
    keyed = await machine(house)

    refused(await with_proof(keyed, keyed.proof(**claims)), "invalid_dpop_proof")


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "jwt"},
        {"typ": "at+jwt"},
        {"jwk": dict(ec_key("proof"))},
        {"jwk": {}},
        {"jwk": "x"},
        {"crit": ["exp"]},
    ],
    ids=["another type", "an access token", "a private key", "no key", "a text", "something critical"],
)
async def test_the_header_of_a_proof_is_checked(house: House, header: Mapping[str, Any]) -> None:
    keyed = await machine(house)

    refused(await with_proof(keyed, keyed.proof(header=header)), "invalid_dpop_proof")


@pytest.mark.parametrize(
    "address", ["http://LOCALHOST:8000/oauth/token?x=1#y", "http://localhost:8000/oauth/./token"]
)
async def test_the_address_is_compared_in_its_normal_form(house: House, address: str) -> None:
    keyed = await machine(house)

    assert (await with_proof(keyed, keyed.proof(htu=address))).status_code == 200


@pytest.mark.parametrize("seconds", [-50, -10, 0, 10])
async def test_clocks_may_differ_a_little(house: House, seconds: int) -> None:
    keyed = await machine(house)

    assert (await with_proof(keyed, keyed.proof(iat=keyed.now + seconds))).status_code == 200


@pytest.mark.parametrize("seconds", [-61, 61])
async def test_and_no_more(house: House, seconds: int) -> None:
    keyed = await machine(house)

    refused(await with_proof(keyed, keyed.proof(iat=keyed.now + seconds)), "invalid_dpop_proof")


@pytest.mark.bar("CHECK-12")
async def test_a_proof_is_good_once_whoever_comes_first(house: House) -> None:
    keyed = await machine(house)
    proof = keyed.proof()

    answers = await asyncio.gather(*[with_proof(keyed, proof) for _ in range(20)])

    assert sorted(each.status_code for each in answers) == [200] + [400] * 19
    assert {each.json()["error"] for each in answers if each.status_code == 400} == {"invalid_dpop_proof"}


async def test_the_same_id_of_another_key_is_another(house: House) -> None:
    keyed = await machine(house)

    first = await with_proof(keyed, keyed.proof(jti="same"))
    second = await with_proof(keyed, keyed.proof(jti="same", key=ec_key("another")))

    assert first.status_code == second.status_code == 200


async def test_there_is_one_proof(house: House) -> None:
    keyed = await machine(house)
    given = {**OF_ITSELF, **keyed.proved()}

    answer = await house.http.post(
        "/oauth/token", data=given, headers=[("DPoP", keyed.proof()), ("DPoP", keyed.proof())]
    )

    refused(answer, "invalid_dpop_proof")


async def test_what_is_no_proof_is_refused(house: House) -> None:
    keyed = await machine(house)

    for text in ("nonsense", "a.b.c", keyed.assertion()):
        refused(await with_proof(keyed, text), "invalid_dpop_proof")


@pytest.mark.bar("A15-15.2")
async def test_a_client_may_have_to_show_one(house: House) -> None:
    keyed = await machine(house, dpop_bound_access_tokens=True)

    refused(await keyed.token(headers={}, **OF_ITSELF), "invalid_dpop_proof")
    assert (await keyed.token(**OF_ITSELF)).status_code == 200


@pytest.mark.bar("A15-15.2")
async def test_an_api_may_take_bound_tokens_only(house: House) -> None:
    keyed = await machine(house)
    given: dict[str, Any] = {"grant_type": "client_credentials", "resource": STRICT}
    person = await house.client()
    back = await house.authorize(person, resource=STRICT, scope="strict:read")

    refused(await keyed.token(headers={}, **given), "invalid_dpop_proof")
    refused(await house.exchanged(person, back), "invalid_dpop_proof")
    assert (await keyed.token(**given)).json()["token_type"] == "DPoP"


async def of_ada(house: House, **members: Any) -> tuple[Keyed, TestClient]:
    client = await house.public_client(**members)
    return Keyed(house, client, ec_key(), proof_key=ec_key("proof")), client


@pytest.mark.bar("A15-15.2")
async def test_dpop_jkt_binds_the_code(house: House) -> None:
    keyed, client = await of_ada(house)
    back = await house.authorize(client, dpop_jkt=thumbprint(ec_key("proof")))

    without = await house.exchanged(client, back)
    other = await house.exchanged(client, back, headers={"DPoP": keyed.proof(key=ec_key("thief"))})
    own = await house.exchanged(client, back, headers=keyed.bound())

    refused(without, "invalid_grant")
    refused(other, "invalid_grant")
    assert own.status_code == 200, own.text


@pytest.mark.bar("A15-15.2")
async def test_dpop_jkt_is_a_thumbprint(house: House) -> None:
    _, client = await of_ada(house)

    assert returned(await house.ask(client, dpop_jkt="short"))["error"] == "invalid_request"


@pytest.mark.bar("A15-15.2")
async def test_refresh_tokens_of_public_clients_are_bound_to_the_first_key(house: House) -> None:
    keyed, client = await of_ada(house)
    back = await house.authorize(client)
    tokens = (await house.exchanged(client, back, headers=keyed.bound())).json()

    without = await house.refreshed(client, tokens["refresh_token"])
    other = await house.refreshed(
        client, tokens["refresh_token"], headers={"DPoP": keyed.proof(key=ed_key(), alg="EdDSA")}
    )
    own = await house.refreshed(client, tokens["refresh_token"], headers=keyed.bound())

    refused(without, "invalid_grant")
    refused(other, "invalid_grant")
    assert own.json()["token_type"] == "DPoP"


@pytest.mark.bar("A15-15.2")
async def test_whoever_can_prove_itself_may_change_its_key(house: House) -> None:
    keyed = await Keyed.register(house, proof_key=ec_key("proof"))
    tokens = await keyed.tokens()
    new = rsa_key("new")

    answer = await keyed.token(
        headers={"DPoP": keyed.proof(key=new, alg="PS256")},
        grant_type="refresh_token",
        refresh_token=tokens["refresh_token"],
    )

    assert claims_of(answer.json()["access_token"])["cnf"] == {"jkt": thumbprint(new)}


@pytest.mark.bar("A15-15.2", "A4-4.5")
async def test_pages_of_every_origin_may_send_proofs_and_read_nonces(house: House) -> None:
    asked = await house.http.options(
        "/oauth/token",
        headers={
            "Origin": "https://app.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "dpop",
        },
    )
    answer = await house.http.post("/oauth/token", headers={"Origin": "https://app.example"})

    assert "dpop" in asked.headers["access-control-allow-headers"].lower()
    assert "dpop-nonce" in answer.headers["access-control-expose-headers"].lower()


@pytest.mark.bar("A4-4.3", "A4-4.4")
async def test_the_algorithms_are_told(house: House) -> None:
    told = (await house.http.get("/.well-known/oauth-authorization-server")).json()

    for alg in told["dpop_signing_alg_values_supported"]:
        keyed = await machine(house)
        assert (await with_proof(keyed, keyed.proof(key=key_for(alg), alg=alg))).status_code == 200, alg
