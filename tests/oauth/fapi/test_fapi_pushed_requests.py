"""The modules on pushed requests and what they ask for, of the FAPI 2.0 plans, by their names."""

from datetime import timedelta
from typing import Any

import pytest

from tests.oauth.fapi.profile import pushed, signer
from tests.oauth.keyed import ISSUER, LEAVE_OUT, Keyed, refused, shown
from tests.oauth.kit import VERIFIER, House, claims_of, returned

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A24-24.1", "A13-13.1")]


async def test_discovery_end_point_verification(house: House) -> None:
    told = (await house.http.get("/.well-known/openid-configuration")).json()

    assert told["issuer"] == ISSUER
    assert told["pushed_authorization_request_endpoint"] == ISSUER + "/oauth/par"
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert "private_key_jwt" in told["token_endpoint_auth_methods_supported"]
    strong = {"PS256", "ES256"}
    assert strong & set(told["token_endpoint_auth_signing_alg_values_supported"])
    assert strong & set(told["request_object_signing_alg_values_supported"])
    assert strong & set(told["id_token_signing_alg_values_supported"])
    assert strong & set(told["dpop_signing_alg_values_supported"])
    assert told["claims_parameter_supported"] is True
    assert "none" not in str(told["token_endpoint_auth_signing_alg_values_supported"])


async def test_happy_flow(house: House) -> None:
    keyed = await signer(house)

    back = await keyed.authorize(await pushed(keyed, nonce="n-1"))
    tokens = await keyed.exchange(back)

    assert back["iss"] == ISSUER
    assert tokens["token_type"] == "DPoP"
    assert "cnf" in claims_of(tokens["access_token"])
    assert claims_of(tokens["id_token"])["nonce"] == "n-1"


async def test_user_rejects_authentication(house: House) -> None:
    keyed = await signer(house)

    back = await keyed.authorize(await pushed(keyed, state="st-9"), action="deny")

    assert back["error"] == "access_denied"
    assert back["state"] == "st-9"
    assert back["iss"] == ISSUER


async def test_ensure_authorization_request_without_state_success(house: House) -> None:
    keyed = await signer(house)

    back = await keyed.authorize(await pushed(keyed, state=LEAVE_OUT))

    assert set(back) == {"code", "iss"}


async def test_ensure_authorization_request_without_nonce_success(house: House) -> None:
    keyed = await signer(house)

    tokens = await keyed.exchange(await keyed.authorize(await pushed(keyed)))

    assert "nonce" not in claims_of(tokens["id_token"])


async def test_ensure_authorization_request_with_64_char_nonce_success(house: House) -> None:
    await _with_nonce(house, "n" * 64)


async def test_ensure_authorization_request_with_long_nonce(house: House) -> None:
    await _with_nonce(house, "n" * 384)


async def _with_nonce(house: House, nonce: str) -> None:
    keyed = await signer(house)

    tokens = await keyed.exchange(await keyed.authorize(await pushed(keyed, nonce=nonce)))

    assert claims_of(tokens["id_token"])["nonce"] == nonce


async def test_ensure_authorization_request_with_long_state(house: House) -> None:
    keyed = await signer(house)

    back = await keyed.authorize(await pushed(keyed, state="s" * 1_000))

    assert back["state"] == "s" * 1_000


async def test_ensure_other_scope_order_succeeds(house: House) -> None:
    keyed = await signer(house)

    tokens = await keyed.exchange(await keyed.authorize(await pushed(keyed, scope="email profile openid")))

    assert set(tokens["scope"].split()) == {"email", "profile", "openid"}
    assert "id_token" in tokens


async def test_test_claims_parameter_identity_claims(house: House) -> None:
    keyed = await signer(house)
    wanted = {"userinfo": {"email": None}, "id_token": {"email": {"essential": True}}}

    tokens = await keyed.exchange(await keyed.authorize(await pushed(keyed, claims=wanted)))

    assert claims_of(tokens["id_token"])["email"] == "ada@example.org"
    assert (await _userinfo(keyed, tokens))["email"] == "ada@example.org"


async def _userinfo(keyed: Keyed, tokens: dict[str, Any]) -> dict[str, Any]:
    from portico.oauth.protocol.rfc9449_dpop import token_hash

    proof = keyed.proof("/oauth/userinfo", "GET", ath=token_hash(tokens["access_token"]))
    headers = {"Authorization": f"DPoP {tokens['access_token']}", "DPoP": proof}
    keyed.house.http.cookies.clear()
    answer = await keyed.house.http.get("/oauth/userinfo", headers=headers)
    assert answer.status_code == 200, answer.text
    person: dict[str, Any] = answer.json()
    return person


async def test_test_essential_acr_sca_claim(house: House) -> None:
    keyed = await signer(house)
    wanted = {"id_token": {"acr": {"essential": True, "values": ["urn:openbanking:psd2:sca"]}}}

    back = returned(await keyed.ask_with(await pushed(keyed, claims=wanted)))

    assert back["error"] == "unmet_authentication_requirements"


async def test_ensure_registered_redirect_uri(house: House) -> None:
    keyed = await Keyed.fapi(house)

    refused(await keyed.try_push(redirect_uri="https://app.example/callback/other"), "invalid_request")


async def test_plain_fapi_tolerate_unregistered_redirect_uri(house: House) -> None:
    """RFC 9126, section 2.4, lets a server take addresses that were not registered; we never do."""
    keyed = await Keyed.fapi(house)

    refused(await keyed.try_push(redirect_uri="https://app.example/made-up-for-this"), "invalid_request")


async def test_ensure_redirect_uri_in_authorization_request(house: House) -> None:
    keyed = await Keyed.fapi(house)

    refused(await keyed.try_push(redirect_uri=None, scope="tools:read"), "invalid_request")


async def test_ensure_response_type_code_idtoken_fails(house: House) -> None:
    keyed = await Keyed.fapi(house)

    refused(await keyed.try_push(response_type="code id_token"), "unsupported_response_type")


async def test_ensure_response_type_token_fails(house: House) -> None:
    keyed = await Keyed.fapi(house)

    refused(await keyed.try_push(response_type="token"), "unsupported_response_type")


async def test_par_ensure_reused_request_uri_prior_to_auth_completion_succeeds(house: House) -> None:
    keyed = await Keyed.fapi(house)
    name = await keyed.push()
    await keyed.ask_with(name)

    assert "code" in await keyed.authorize(name)


async def test_par_attempt_reuse_request_uri(house: House) -> None:
    keyed = await Keyed.fapi(house)
    name = await keyed.push()
    await keyed.authorize(name)

    shown(await keyed.ask_with(name), "invalid_request_uri")


async def test_par_attempt_to_use_expired_request_uri(house: House) -> None:
    keyed = await Keyed.fapi(house)
    answer = await keyed.try_push()
    house.clock.advance(timedelta(seconds=answer.json()["expires_in"] + 1))

    shown(await keyed.ask_with(answer.json()["request_uri"]), "invalid_request_uri")


async def test_par_attempt_to_use_request_uri_for_different_client(house: House) -> None:
    keyed, other = await Keyed.fapi(house), await Keyed.fapi(house)

    shown(await other.ask_with(await keyed.push()), "invalid_request_uri")


async def test_par_attempt_invalid_http_method(house: House) -> None:
    keyed = await Keyed.fapi(house)

    answer = await house.http.put("/oauth/par", data={**house.request(keyed.client), **keyed.proved()})

    assert answer.status_code == 405


async def test_par_ensure_pkce_required(house: House) -> None:
    keyed = await Keyed.fapi(house)

    answer = await keyed.try_push(code_challenge=None, code_challenge_method=None)

    refused(answer, "invalid_request")


async def test_par_plain_pkce_rejected(house: House) -> None:
    keyed = await Keyed.fapi(house)

    answer = await keyed.try_push(code_challenge=VERIFIER, code_challenge_method="plain")

    refused(answer, "invalid_request")


async def test_par_ensure_jwt_client_assertions_nbf_8_seconds_in_the_future_is_accepted(house: House) -> None:
    keyed = await Keyed.fapi(house)

    answer = await keyed.try_push(assertion=keyed.assertion(nbf=keyed.now + 8, iat=keyed.now + 8))

    assert answer.status_code == 201, answer.text


async def test_par_ensure_jwt_client_assertions_nbf_over_60_seconds_in_the_future_fails(house: House) -> None:
    keyed = await Keyed.fapi(house)

    answer = await keyed.try_push(assertion=keyed.assertion(nbf=keyed.now + 70, exp=keyed.now + 200))

    refused(answer, "invalid_client", 401)


async def test_par_test_array_as_audience_fails(house: House) -> None:
    await _audience_fails(house, [ISSUER])


async def test_par_test_par_endpoint_url_as_audience_fails(house: House) -> None:
    await _audience_fails(house, ISSUER + "/oauth/par")


async def test_par_test_token_endpoint_url_as_audience_fails(house: House) -> None:
    await _audience_fails(house, ISSUER + "/oauth/token")


async def _audience_fails(house: House, audience: Any) -> None:
    keyed = await Keyed.fapi(house)

    refused(await keyed.try_push(assertion=keyed.assertion(aud=audience)), "invalid_client", 401)
    assert (await keyed.try_push()).status_code == 201
