"""How clients prove who they are at the token endpoint (rows 1.12 to 1.14, 18.1)."""

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import httpx2
import pytest

from portico.coordination.revocations import RevocationLog
from portico.oauth.protocol.jose.signing import sign_with_secret
from portico.oauth.services.client_registry import ClientRegistry
from portico.oauth.services.client_secrets import issue_secret
from portico.oauth.types import ClientPolicy, ClientSource
from tests.oauth.keyed import ISSUER, LEAVE_OUT, Keyed, refused, said
from tests.oauth.kit import FORM, House, TestClient
from tests.oauth.protocol.foreign_keys import ec_key, ed_key, key_for, public, rsa_key

pytestmark = pytest.mark.anyio

LASTING_OAUTH = {"client_secret_jwt": True}
OF_ITSELF: dict[str, Any] = {"grant_type": "client_credentials", "scope": "tools:read"}


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


async def machine(house: House, **members: Any) -> TestClient:
    return await house.client(redirect_uris=[], grant_types=["client_credentials"], **members)


async def signing(house: House, **members: Any) -> Keyed:
    return await Keyed.register(house, redirect_uris=[], grant_types=["client_credentials"], **members)


async def post(
    house: House, fields: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> httpx2.Response:
    house.http.cookies.clear()
    return await house.http.post("/oauth/token", data={**OF_ITSELF, **fields}, headers=headers or {})


def basic(client_id: str, secret: str) -> dict[str, str]:
    """Return the header with both halves as they are given."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


@pytest.mark.bar("A1-1.12")
async def test_it_takes_forms_by_post_only(house: House) -> None:
    client = await machine(house)

    got = await house.http.get("/oauth/token", params=OF_ITSELF, headers=client.basic)
    as_json = await house.http.post("/oauth/token", json=OF_ITSELF, headers=client.basic)
    in_query = await house.http.post("/oauth/token", params=OF_ITSELF, headers={**FORM, **client.basic})

    assert got.status_code == 405
    refused(as_json, "invalid_request")
    refused(in_query, "invalid_request")


@pytest.mark.bar("A1-1.12")
async def test_answers_are_kept_by_nobody(house: House) -> None:
    client = await machine(house)

    answer = await post(house, {}, client.basic)

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.bar("A1-1.12")
async def test_a_header_that_fails_is_challenged(house: House) -> None:
    client = await machine(house)

    by_header = await post(house, {}, basic(client.client_id, "wrong"))
    by_body = await post(house, {"client_id": client.client_id, "client_secret": "wrong"})

    refused(by_header, "invalid_client", 401)
    assert by_header.headers["www-authenticate"].startswith("Basic ")
    refused(by_body, "invalid_client", 401)


@pytest.mark.parametrize("scheme", ["BASIC", "basic", "bAsIc"])
async def test_the_scheme_may_be_written_in_any_case(house: House, scheme: str) -> None:
    client = await machine(house)

    answer = await post(house, {}, {"Authorization": client.basic["Authorization"].replace("Basic", scheme)})

    assert answer.status_code == 200, answer.text


@pytest.mark.bar("A1-1.13")
async def test_both_halves_of_the_header_are_decoded(house: House) -> None:
    client = await house.client(
        client_id="an odd:id+é%", redirect_uris=[], grant_types=["client_credentials"]
    )
    assert client.secret is not None

    encoded = await post(house, {}, basic(quote_plus(client.client_id), quote_plus(client.secret)))
    as_it_is = await post(house, {}, basic(client.client_id, client.secret))

    assert encoded.status_code == 200, encoded.text
    refused(as_it_is, "invalid_client", 401)


@pytest.mark.bar("A1-1.13")
@pytest.mark.parametrize("way", ["two ways", "another name", "a secret and an assertion"])
async def test_one_way_is_used_and_names_one_client(house: House, way: str) -> None:
    client, keyed = await machine(house), await signing(house)
    secret = {"client_id": client.client_id, "client_secret": client.secret}
    sent: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
        "two ways": (secret, client.basic),
        "another name": ({"client_id": keyed.client.client_id}, client.basic),
        "a secret and an assertion": ({**secret, **keyed.proved()}, {}),
    }

    refused(await post(house, *sent[way]), "invalid_request")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_secret_may_stand_in_header_or_body(house: House, method: str) -> None:
    client = await machine(house, token_endpoint_auth_method=method)
    body = {"client_id": client.client_id, "client_secret": client.secret}

    assert (await post(house, {}, client.basic)).status_code == 200
    assert (await post(house, body)).status_code == 200


async def test_a_client_with_a_secret_is_not_let_in_by_its_name(house: House) -> None:
    client = await machine(house)

    refused(await post(house, {"client_id": client.client_id}), "invalid_client", 401)
    refused(await post(house, {}), "invalid_client", 401)


async def test_whoever_signs_is_not_let_in_by_anything_else(house: House) -> None:
    keyed = await signing(house)

    with_secret = {"client_id": keyed.client.client_id, "client_secret": "pcs_anything"}
    refused(await post(house, with_secret), "invalid_client", 401)
    refused(await post(house, {"client_id": keyed.client.client_id}), "invalid_client", 401)


@pytest.mark.parametrize("header", ["Basic", "Basic %%%", "Basic Zm9v", "Basic Og==", "Basic /w=="])
async def test_a_header_that_cannot_be_read(house: House, header: str) -> None:
    answer = await post(house, {}, {"Authorization": header})

    refused(answer, "invalid_client", 401)


@pytest.mark.bar("A1-1.14", "CHECK-14")
async def test_secrets_cannot_be_tried_without_end(house: House) -> None:
    client, other = await machine(house), await machine(house)

    tries = [await post(house, {}, basic(client.client_id, "wrong")) for _ in range(21)]

    assert [each.status_code for each in tries] == [401] * 20 + [429]
    assert int(tries[-1].headers["retry-after"]) > 0
    assert (await post(house, {}, client.basic)).status_code == 200
    assert (await post(house, {}, other.basic)).status_code == 200


@pytest.mark.bar("A1-1.14", "CHECK-14")
@pytest.mark.parametrize("endpoint", ["revoke", "introspect", "par", "device_authorization"])
async def test_no_other_endpoint_lets_anybody_try_on(house: House, endpoint: str) -> None:
    """The tries of all of them are counted together."""
    client = await machine(house)
    header = basic(client.client_id, "wrong")
    for _ in range(10):
        refused(await post(house, {}, header), "invalid_client", 401)

    answers = [
        await house.http.post(f"/oauth/{endpoint}", data={"token": "x"}, headers=header) for _ in range(11)
    ]

    assert [each.status_code for each in answers] == [401] * 10 + [429]


async def test_two_secrets_are_good_while_one_follows_another(house: House) -> None:
    client = await machine(house)
    unit = house.runtime.unit()
    async with unit:
        second = await issue_secret(house.runtime, unit, client.key, is_readable=False)

    async with house.runtime.unit() as unit:
        await house.runtime.get(RevocationLog).append(unit, [f"client:{client.key}"])

    assert (await post(house, {}, client.basic)).status_code == 200
    assert (await post(house, {}, basic(client.client_id, second.text))).status_code == 200


@pytest.mark.bar("A1-1.18")
async def test_who_cannot_prove_itself_gets_no_token_of_its_own_whatever_it_is_registered_for(
    house: House,
) -> None:
    """Registration leaves such a grant out; what got past it, by whatever way, is refused all the same."""
    metadata = replace((await machine(house)).metadata, token_endpoint_auth_method="none")
    registry = ClientRegistry(house.runtime, house.runtime.unit())
    made = await registry.register_client(metadata, ClientSource.ADMINISTRATOR)

    refused(await post(house, {"client_id": made.client_id}), "unauthorized_client")


@pytest.mark.bar("A18-18.1")
@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA"])
async def test_a_client_proves_itself_by_a_signature(house: House, alg: str) -> None:
    keyed = await signing(house, key=key_for(alg), alg=alg)

    answer = await keyed.token(**OF_ITSELF)

    assert answer.status_code == 200, answer.text


@pytest.mark.bar("A18-18.1")
@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "somebody"},
        {"sub": LEAVE_OUT},
        {"iss": LEAVE_OUT},
        {"aud": LEAVE_OUT},
        {"aud": "https://other-issuer.example"},
        {"aud": ISSUER + "/"},
        {"aud": ISSUER + "/oauth/token"},
        {"aud": [ISSUER]},
        {"aud": [ISSUER, "https://other.example"]},
        {"exp": LEAVE_OUT},
        {"exp": "soon"},
        {"jti": LEAVE_OUT},
        {"jti": ""},
        {"jti": 7},
    ],
    ids=str,
)
async def test_an_assertion_says_what_it_must(house: House, claims: dict[str, Any]) -> None:
    keyed = await signing(house)

    refused(await keyed.token(assertion=keyed.assertion(**claims), **OF_ITSELF), "invalid_client", 401)


@pytest.mark.bar("A18-18.1")
@pytest.mark.parametrize(
    ("times", "status"),
    [
        ({"exp": -300}, 401),
        ({"exp": -5}, 200),
        ({"exp": 3600 + 120}, 401),
        ({"nbf": 8}, 200),
        ({"nbf": 70}, 401),
        ({"iat": 8}, 200),
        ({"iat": 70}, 401),
    ],
    ids=str,
)
async def test_an_assertion_is_short_and_of_now(house: House, times: dict[str, int], status: int) -> None:
    keyed = await signing(house)
    claims: dict[str, Any] = {name: keyed.now + seconds for name, seconds in times.items()}

    answer = await keyed.token(assertion=keyed.assertion(**claims), **OF_ITSELF)

    assert answer.status_code == status, answer.text


@pytest.mark.bar("A18-18.1", "CHECK-12")
async def test_an_assertion_is_good_once_whoever_comes_first(house: House) -> None:
    keyed = await signing(house)
    assertion = keyed.assertion()

    answers = await asyncio.gather(*[keyed.token(assertion=assertion, **OF_ITSELF) for _ in range(20)])

    assert sorted(each.status_code for each in answers) == [200] + [401] * 19


@pytest.mark.bar("A18-18.1")
async def test_an_assertion_that_was_refused_for_another_reason_was_not_spent(house: House) -> None:
    keyed = await signing(house)
    assertion = keyed.assertion()

    wrong = await keyed.token(assertion=assertion, **{**OF_ITSELF, "scope": "nothing:known"})
    right = await keyed.token(assertion=assertion, **OF_ITSELF)

    refused(wrong, "invalid_scope")
    assert right.status_code == 200, right.text


@pytest.mark.bar("A18-18.1")
@pytest.mark.parametrize("key", [ec_key("attacker"), rsa_key("attacker")], ids=["ES256", "RS256"])
async def test_another_key_proves_nothing(house: House, key: Mapping[str, Any]) -> None:
    keyed = await signing(house)
    alg = "ES256" if key["kty"] == "EC" else "RS256"

    refused(
        await keyed.token(assertion=keyed.assertion(key=key, alg=alg), **OF_ITSELF), "invalid_client", 401
    )


@pytest.mark.bar("A18-18.1")
async def test_the_registered_algorithm_is_the_only_one(house: House) -> None:
    key = rsa_key()
    keyed = await signing(house, key=key, alg="RS256", token_endpoint_auth_signing_alg="PS256")

    refused(await keyed.token(**OF_ITSELF), "invalid_client", 401)
    assert (await keyed.token(assertion=keyed.assertion(alg="PS256"), **OF_ITSELF)).status_code == 200


@pytest.mark.bar("A18-18.1", "CHECK-5")
async def test_neither_nothing_nor_a_shared_secret_signs_for_a_key(house: House) -> None:
    keyed = await signing(house)
    body = keyed.assertion().split(".")[1]
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    published = json.dumps(public(keyed.key)).encode()

    for forged in (f"{none}.{body}.", f"{none}.{body}.AAAA", sign_with_secret(claims, published, "HS256")):
        refused(await keyed.token(assertion=forged, **OF_ITSELF), "invalid_client", 401)


@pytest.mark.bar("A18-18.1")
async def test_the_token_endpoint_is_an_audience_for_those_with_the_switch(house: House) -> None:
    keyed = await signing(house, policy=ClientPolicy(accepts_legacy_audience=True))

    as_text = await keyed.token(assertion=keyed.assertion(aud=ISSUER + "/oauth/token"), **OF_ITSELF)
    as_list = await keyed.token(assertion=keyed.assertion(aud=[ISSUER + "/oauth/token"]), **OF_ITSELF)

    assert as_text.status_code == as_list.status_code == 200


async def test_the_type_of_an_assertion_is_named(house: House) -> None:
    keyed = await signing(house)
    given = {**OF_ITSELF, "client_assertion": keyed.assertion()}

    refused(await keyed.post("/oauth/token", given), "invalid_request")
    refused(
        await keyed.post("/oauth/token", {**given, "client_assertion_type": "urn:saml2"}), "invalid_request"
    )


@pytest.mark.bar("A18-18.1")
async def test_one_of_several_keys_is_found(house: House) -> None:
    keys = {"keys": [public(rsa_key()), public(ed_key()), public(ec_key(), kid="k1")]}
    keyed = await signing(house, jwks=keys)

    assert (await keyed.token(**OF_ITSELF)).status_code == 200


def shared(house: House, client: TestClient, **claims: Any) -> dict[str, Any]:
    now = int(house.clock.now().timestamp())
    name = client.client_id
    body = said(
        **{"iss": name, "sub": name, "aud": ISSUER, "jti": "j", "iat": now, "exp": now + 60, **claims}
    )
    return {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": sign_with_secret(body, str(client.secret).encode(), "HS256"),
    }


@pytest.mark.bar("A18-18.1")
async def test_a_secret_signs_where_it_is_switched_on(house: House) -> None:
    client = await machine(house, token_endpoint_auth_method="client_secret_jwt")

    good = await post(house, shared(house, client))
    again = await post(house, shared(house, client))
    elsewhere = await post(house, shared(house, client, jti="k", aud="https://other.example"))
    plain = await post(house, {}, client.basic)

    assert good.status_code == 200, good.text
    refused(again, "invalid_client", 401)
    refused(elsewhere, "invalid_client", 401)
    refused(plain, "invalid_client", 401)


async def test_time_goes_on_and_so_does_the_memory_of_assertions(house: House) -> None:
    keyed = await signing(house)
    assertion = keyed.assertion()
    await keyed.token(assertion=assertion, **OF_ITSELF)

    house.clock.advance(timedelta(seconds=69))

    refused(await keyed.token(assertion=assertion, **OF_ITSELF), "invalid_client", 401)


@pytest.mark.bar("A4-4.4", "A30-30.11")
async def test_nobody_elses_word_counts_unless_a_setting_says_so(house: House) -> None:
    bearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    client = await house.client(redirect_uris=[], grant_types=[bearer])
    told = (await house.http.get("/.well-known/oauth-authorization-server")).json()

    answer = await house.token(client, grant_type=bearer, assertion="x.y.z")

    assert bearer not in told["grant_types_supported"]
    refused(answer, "unsupported_grant_type")
