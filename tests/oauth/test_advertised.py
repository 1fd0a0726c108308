"""Whatever the metadata document names is used here once, and works (row 4.4)."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from portico.oauth.protocol.jose.signing import sign_with_secret
from tests.oauth.keyed import ISSUER, Keyed
from tests.oauth.kit import CALLBACK, CHALLENGE, House, claims_of, returned
from tests.oauth.pages import fields_of
from tests.oauth.protocol.certificates import certificate, pem
from tests.oauth.protocol.foreign_keys import ec_key, key_for, public

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A4-4.4", "A29-29.1")]

LASTING_HTTP = {"trusted_proxies": ["127.0.0.1"], "forwarded_header": "x-forwarded-for"}
LASTING_OAUTH = {"tls_certificate_header": "X-Client-Cert", "client_secret_jwt": True}
MCP = "https://api.example.com/mcp"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
OF_ITSELF: dict[str, Any] = {"grant_type": "client_credentials", "scope": "tools:read"}
OWN = certificate("CN=client,O=Example,C=DE", key=ec_key("tls"))

type Use = Callable[[House, str], Awaitable[None]]


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


async def scope_is_granted(house: House, scope: str) -> None:
    client = await house.client()
    consent = {"prompt": "consent"} if scope == "offline_access" else {}

    tokens = await house.tokens(client, scope=f"openid {scope}" if scope != "openid" else scope, **consent)

    assert scope in tokens["scope"].split()


async def grant_type_gets_tokens(house: House, grant: str) -> None:
    client = await house.client(
        grant_types=["authorization_code", "refresh_token", "client_credentials", DEVICE_CODE, EXCHANGE]
    )
    tokens = await house.tokens(client, scope="tools:read", resource=MCP)
    given: dict[str, dict[str, Any]] = {
        "refresh_token": {"refresh_token": tokens["refresh_token"]},
        "client_credentials": {"scope": "tools:read"},
        EXCHANGE: {"subject_token": tokens["access_token"], "subject_token_type": ACCESS_TOKEN},
    }
    if grant == "authorization_code":
        return
    if grant == DEVICE_CODE:
        asked = await house.http.post(
            "/oauth/device_authorization", data={"scope": "openid"}, headers=client.basic
        )
        given[grant] = {"device_code": asked.json()["device_code"]}
    answer = await house.token(client, grant_type=grant, **given[grant])
    expected = "authorization_pending" if grant == DEVICE_CODE else "tools:read"
    assert expected in {answer.json().get("error"), answer.json().get("scope")}, answer.text


async def client_is_let_in(house: House, method: str) -> None:
    members: dict[str, dict[str, Any]] = {
        "private_key_jwt": {"jwks": {"keys": [public(ec_key(), kid="k1")]}},
        "tls_client_auth": {"tls_client_auth_subject_dn": "CN=client,O=Example,C=DE"},
        "self_signed_tls_client_auth": {"jwks": {"keys": [public(ec_key("tls"))]}},
    }
    client = await house.client(token_endpoint_auth_method=method, **members.get(method, {}))
    back = await house.authorize(client)
    secret = {"client_id": client.client_id, "client_secret": client.secret}
    keyed = Keyed(house, client, ec_key())
    shown: dict[str, dict[str, Any]] = {
        "client_secret_post": {"headers": {"Authorization": ""}, **secret},
        "private_key_jwt": keyed.proved(),
        "client_secret_jwt": _signed_with_secret(keyed),
    }
    if "tls" in method:
        shown[method] = {"headers": {"X-Client-Cert": quote(pem(OWN))}}

    answer = await house.exchanged(client, back, **shown.get(method, {}))

    assert answer.status_code == 200, answer.text


def _signed_with_secret(keyed: Keyed) -> dict[str, Any]:
    claims = claims_of(keyed.assertion())
    assertion = sign_with_secret(claims, str(keyed.client.secret).encode(), "HS256")
    return {"headers": {"Authorization": ""}, **keyed.proved(assertion)}


async def assertion_is_read(house: House, alg: str) -> None:
    grants = ["client_credentials"]
    if alg.startswith("HS"):
        client = await house.client(
            token_endpoint_auth_method="client_secret_jwt", redirect_uris=[], grant_types=grants
        )
        given = _signed_with_secret(Keyed(house, client, ec_key()))
        answer = await house.token(client, **OF_ITSELF, **given)
    else:
        keyed = await Keyed.register(house, key=key_for(alg), alg=alg, redirect_uris=[], grant_types=grants)
        answer = await keyed.token(**OF_ITSELF)
    assert answer.status_code == 200, answer.text


async def request_object_is_read(house: House, alg: str) -> None:
    keyed = await Keyed.register(house, key=key_for(alg), alg=alg)

    asked = await house.get(
        f"/oauth/authorize?client_id={keyed.client.client_id}&request={keyed.request_object()}"
    )

    assert asked.headers["location"].startswith("/oauth/consent"), asked.headers


async def proof_is_read(house: House, alg: str) -> None:
    keyed = await Keyed.register(house, redirect_uris=[], grant_types=["client_credentials"])

    answer = await keyed.token(headers={"DPoP": keyed.proof(key=key_for(alg), alg=alg)}, **OF_ITSELF)

    assert answer.json()["token_type"] == "DPoP"


async def id_token_is_signed(house: House, alg: str) -> None:
    client = await house.client(id_token_signed_response_alg=alg)

    await _is_signed(house, (await house.tokens(client))["id_token"], alg)


async def userinfo_is_signed(house: House, alg: str) -> None:
    client = await house.client(userinfo_signed_response_alg=alg)
    token = (await house.tokens(client))["access_token"]

    answer = await house.http.get("/oauth/userinfo", headers={"Authorization": f"Bearer {token}"})

    await _is_signed(house, answer.text, alg)


async def introspection_is_signed(house: House, alg: str) -> None:
    client = await house.client(introspection_signed_response_alg=alg)
    token = (await house.tokens(client))["access_token"]
    headers = {**client.basic, "Accept": "application/token-introspection+jwt"}
    house.http.cookies.clear()

    answer = await house.http.post("/oauth/introspect", data={"token": token}, headers=headers)

    await _is_signed(house, answer.text, alg)


async def _is_signed(house: House, token: str, alg: str) -> None:
    keys = (await house.http.get("/.well-known/jwks.json")).json()
    signed = jws.deserialize_compact(token, KeySet.import_key_set(keys), algorithms=[alg])
    assert signed.headers()["alg"] == alg


async def response_mode_is_answered(house: House, mode: str) -> None:
    client = await house.client()

    answer = await house.answer(await house.ask(client, response_mode=mode))

    by_form, is_signed = mode.startswith("form_post"), mode.endswith("jwt")
    assert answer.status_code == (200 if by_form else 303)
    back = fields_of(answer, CALLBACK) if by_form else returned(answer)
    assert back.keys() == ({"response"} if is_signed else {"code", "state", "iss"})


async def response_is_signed(house: House, alg: str) -> None:
    client = await house.client(authorization_signed_response_alg=alg)

    back = await house.authorize(client, response_mode="jwt")

    await _is_signed(house, back["response"], alg)


async def challenge_is_taken(house: House, method: str) -> None:
    client = await house.public_client()

    assert "code" in await house.authorize(client, code_challenge=CHALLENGE, code_challenge_method=method)


async def response_type_is_answered(house: House, kind: str) -> None:
    assert kind in await house.authorize(await house.client(), response_type=kind)


async def subject_is_told(house: House, kind: str) -> None:
    client = await house.client(subject_type=kind)

    subject = claims_of((await house.tokens(client))["id_token"])["sub"]

    assert (subject == str(house.people["ada"].id)) == (kind == "public")


async def strength_is_told(house: House, acr: str) -> None:
    client = await house.client()
    wanted = f'{{"id_token": {{"acr": {{"essential": true, "values": ["{acr}"]}}}}}}'

    asked = await house.ask(client, claims=wanted)

    assert returned(await house.answer(asked)).get("error") in {None, "unmet_authentication_requirements"}
    if acr == "aal1":
        assert claims_of((await house.tokens(client, claims=wanted))["id_token"])["acr"] == acr


USES: dict[str, Use] = {
    "scopes_supported": scope_is_granted,
    "grant_types_supported": grant_type_gets_tokens,
    "token_endpoint_auth_methods_supported": client_is_let_in,
    "token_endpoint_auth_signing_alg_values_supported": assertion_is_read,
    "request_object_signing_alg_values_supported": request_object_is_read,
    "dpop_signing_alg_values_supported": proof_is_read,
    "id_token_signing_alg_values_supported": id_token_is_signed,
    "userinfo_signing_alg_values_supported": userinfo_is_signed,
    "introspection_signing_alg_values_supported": introspection_is_signed,
    "authorization_signing_alg_values_supported": response_is_signed,
    "response_modes_supported": response_mode_is_answered,
    "response_types_supported": response_type_is_answered,
    "code_challenge_methods_supported": challenge_is_taken,
    "subject_types_supported": subject_is_told,
    "acr_values_supported": strength_is_told,
}
OF_ONE_KIND = {
    "revocation_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_signing_alg_values_supported",
    "introspection_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    "claims_supported",
    "claim_types_supported",
    "ui_locales_supported",
    "display_values_supported",
    "prompt_values_supported",
}
"""Those for which the code of the token endpoint answers, or whose values have tests of their own elsewhere."""


@pytest.mark.parametrize("name", USES)
async def test_each_value_of_the_document_works(house: House, name: str) -> None:
    told = (await house.http.get("/.well-known/openid-configuration")).json()

    assert told[name]
    for value in told[name]:
        await USES[name](house, value)


async def test_no_list_of_the_document_is_left_out(house: House) -> None:
    told = (await house.http.get("/.well-known/openid-configuration")).json()

    lists = {name for name, value in told.items() if isinstance(value, list)}

    assert lists - OF_ONE_KIND == USES.keys()


@pytest.mark.parametrize("form", ["openid-configuration", "oauth-authorization-server"])
async def test_every_address_of_the_document_answers(house: House, form: str) -> None:
    told = (await house.http.get(f"/.well-known/{form}")).json()
    addresses = {name: value for name, value in told.items() if name.endswith(("_endpoint", "_uri"))}

    assert len(addresses) >= 10
    for name, address in addresses.items():
        assert address.startswith(ISSUER), name
        answers = {
            (await house.http.request(method, address.removeprefix(ISSUER))).status_code
            for method in ("GET", "POST")
        }
        assert 404 not in answers, name
        assert not any(status >= 500 for status in answers), (name, answers)
        assert answers != {405}, name


async def test_what_is_not_named_does_not_work(house: House) -> None:
    client = await house.client()

    for asked in (
        {"response_type": "token"},
        {"response_mode": "fragment"},
        {"response_mode": "fragment.jwt"},
        {"code_challenge_method": "plain"},
    ):
        assert "error" in returned(await house.ask(client, **asked))
    assert (await house.token(client, grant_type="password", username="a", password="b")).json()["error"] == (
        "unsupported_grant_type"
    )
