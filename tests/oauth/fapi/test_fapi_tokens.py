"""The modules on tokens, codes and proofs of the FAPI 2.0 plans, by their names."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from portico.oauth.protocol.rfc9449_dpop import token_hash
from tests.oauth.keyed import LEAVE_OUT, Keyed, refused, thumbprint
from tests.oauth.kit import VERIFIER, House, claims_of
from tests.oauth.protocol.foreign_keys import ec_key, public, rsa_key

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A24-24.1")]

LASTING_OAUTH = {"code_lifetime": "PT10M"}
"""Longer than the profile permits: its clients' codes live 60 seconds all the same."""


async def userinfo(
    keyed: Keyed, token: str, *, scheme: str = "DPoP", proof: str | None = None, **claims: Any
) -> httpx2.Response:
    """Ask a protected resource, with a proof unless it is empty."""
    made = keyed.proof("/oauth/userinfo", "GET", **{"ath": token_hash(token), **claims})
    headers = {"Authorization": f"{scheme} {token}", "DPoP": made if proof is None else proof}
    keyed.house.http.cookies.clear()
    return await keyed.house.http.get(
        "/oauth/userinfo", headers={name: value for name, value in headers.items() if value}
    )


@pytest.mark.bar("A2-2.4")
async def test_access_token_type_header_case_sensitivity(house: House) -> None:
    keyed = await Keyed.fapi(house)
    token = (await keyed.tokens())["access_token"]

    for scheme in ("DPoP", "dpop", "DPOP"):
        assert (await userinfo(keyed, token, scheme=scheme)).status_code == 200, scheme


@pytest.mark.bar("A15-15.1")
async def test_check_dpop_proof_nbf_exp(house: House) -> None:
    keyed = await Keyed.fapi(house)
    first, second, third = [await keyed.code() for _ in range(3)]
    window: dict[str, Any] = {"nbf": keyed.now - 5, "exp": keyed.now + 60}

    good = await keyed.try_exchange(first, headers={"DPoP": keyed.proof(**window)})
    over = await keyed.try_exchange(second, headers={"DPoP": keyed.proof(exp=keyed.now - 60)})
    not_yet = await keyed.try_exchange(third, headers={"DPoP": keyed.proof(nbf=keyed.now + 120)})

    assert good.status_code == 200, good.text
    refused(over, "invalid_dpop_proof")
    refused(not_yet, "invalid_dpop_proof")


@pytest.mark.bar("A15-15.1")
async def test_ensure_dpopproof_with_iat_10seconds_before_succeeds(house: House) -> None:
    await _made_at(house, -10)


@pytest.mark.bar("A15-15.1")
async def test_ensure_dpopproof_with_iat_10seconds_after_succeeds(house: House) -> None:
    await _made_at(house, 10)


async def _made_at(house: House, seconds: int) -> None:
    keyed = await Keyed.fapi(house)

    tokens = await keyed.exchange(await keyed.code(), headers={"DPoP": keyed.proof(iat=keyed.now + seconds)})

    assert (await userinfo(keyed, tokens["access_token"], iat=keyed.now + seconds)).status_code == 200


@pytest.mark.bar("A15-15.2")
async def test_ensure_mismatched_dpop_jkt_fails(house: House) -> None:
    keyed = await Keyed.fapi(house)

    answer = await keyed.try_push(headers=keyed.bound("/oauth/par"), dpop_jkt=thumbprint(ec_key("other")))

    refused(answer, "invalid_dpop_proof")


@pytest.mark.bar("A15-15.2")
async def test_ensure_token_endpoint_fails_with_mismatched_dpop_proof_jkt(house: House) -> None:
    keyed = await Keyed.fapi(house)
    back = await keyed.code_by_proof()

    refused(
        await keyed.try_exchange(back, headers={"DPoP": keyed.proof(key=ec_key("other"))}), "invalid_grant"
    )


@pytest.mark.bar("A15-15.2")
async def test_ensure_token_endpoint_fails_with_mismatched_dpop_jkt(house: House) -> None:
    keyed = await Keyed.fapi(house)
    back = await keyed.code(dpop_jkt=thumbprint(ec_key("proof")))

    refused(
        await keyed.try_exchange(back, headers={"DPoP": keyed.proof(key=ec_key("other"))}), "invalid_grant"
    )


@pytest.mark.bar("A15-15.2")
async def test_ensure_dpopproof_at_par_endpoint_binding_success(house: House) -> None:
    keyed = await Keyed.fapi(house)

    tokens = await keyed.exchange(await keyed.code_by_proof())

    assert claims_of(tokens["access_token"])["cnf"] == {"jkt": thumbprint(ec_key("proof"))}


@pytest.mark.bar("A15-15.2")
async def test_ensure_dpop_auth_code_binding_success(house: House) -> None:
    keyed = await Keyed.fapi(house)

    tokens = await keyed.exchange(await keyed.code(dpop_jkt=thumbprint(ec_key("proof"))))

    assert claims_of(tokens["access_token"])["cnf"] == {"jkt": thumbprint(ec_key("proof"))}


async def test_ensure_client_id_in_token_endpoint(house: House) -> None:
    keyed, other = await Keyed.fapi(house), await Keyed.fapi(house)
    back = await keyed.code()

    answer = await keyed.try_exchange(back, client_id=other.client.client_id)

    refused(answer, "invalid_request")
    assert (await keyed.try_exchange(back, client_id=keyed.client.client_id)).status_code == 200


async def test_ensure_holder_of_key_required(house: House) -> None:
    keyed = await Keyed.fapi(house)

    refused(await keyed.try_exchange(await keyed.code(), headers={}), "invalid_dpop_proof")


@pytest.mark.bar("A1-1.9")
async def test_ensure_authorization_code_is_bound_to_client(house: House) -> None:
    keyed, other = await Keyed.fapi(house), await Keyed.fapi(house)
    back = await keyed.code()

    refused(await other.try_exchange(back), "invalid_grant")


@pytest.mark.bar("A1-1.10")
async def test_attempt_reuse_authorization_code_after_one_second(house: House) -> None:
    keyed = await Keyed.fapi(house)
    back = await keyed.code()
    token = (await keyed.exchange(back))["access_token"]
    house.clock.advance(timedelta(seconds=1))

    refused(await keyed.try_exchange(back), "invalid_grant")
    assert (await userinfo(keyed, token)).status_code == 401


@pytest.mark.bar("A1-1.9")
async def test_ensure_token_endpoint_fails_with_expired_auth_code(house: House) -> None:
    keyed = await Keyed.fapi(house)
    back = await keyed.code()
    house.clock.advance(timedelta(seconds=61))

    refused(await keyed.try_exchange(back), "invalid_grant")


@pytest.mark.bar("A18-18.1")
async def test_ensure_signed_client_assertion_with_RS256_fails(house: House) -> None:  # noqa: N802
    keys = {"keys": [public(ec_key(), kid="k1"), public(rsa_key(), kid="k2")]}
    keyed = await Keyed.fapi(house, jwks=keys)
    back = await keyed.code()
    weak = keyed.assertion(key=rsa_key(), alg="RS256", kid="k2")
    strong = keyed.assertion(key=rsa_key(), alg="PS256", kid="k2")

    refused(await keyed.try_exchange(back, assertion=weak), "invalid_client", 401)
    assert (await keyed.try_exchange(back, assertion=strong)).status_code == 200


@pytest.mark.bar("A18-18.1")
async def test_ensure_client_assertion_in_token_endpoint(house: House) -> None:
    keyed = await Keyed.fapi(house)
    back = await keyed.code()
    given = {
        "grant_type": "authorization_code",
        "code": back["code"],
        "redirect_uri": keyed.client.redirect_uri,
        "code_verifier": VERIFIER,
        "client_id": keyed.client.client_id,
    }

    refused(await keyed.post("/oauth/token", given, keyed.bound()), "invalid_client", 401)


@pytest.mark.bar("A18-18.1")
async def test_ensure_client_assertion_with_exp_is_5_minutes_in_past_fails(house: House) -> None:
    await _assertion_fails(house, exp=-300)


@pytest.mark.bar("A18-18.1")
async def test_ensure_client_assertion_with_wrong_aud_fails(house: House) -> None:
    await _assertion_fails(house, aud="https://wrong.example")


@pytest.mark.bar("A18-18.1")
async def test_ensure_client_assertion_with_no_sub_fails(house: House) -> None:
    await _assertion_fails(house, sub=LEAVE_OUT)


async def _assertion_fails(house: House, **claims: Any) -> None:
    keyed = await Keyed.fapi(house)
    back = await keyed.code()
    if "exp" in claims:
        claims["exp"] += keyed.now

    refused(await keyed.try_exchange(back, assertion=keyed.assertion(**claims)), "invalid_client", 401)


@pytest.mark.bar("A15-15.1")
async def test_dpop_negative_tests(house: House) -> None:
    keyed = await Keyed.fapi(house)
    token = (await keyed.tokens())["access_token"]
    wrong: dict[str, dict[str, Any]] = {
        "no proof": {"proof": ""},
        "shown as a bearer's": {"scheme": "Bearer", "proof": ""},
        "another method": {"htm": "POST"},
        "another address": {"htu": "http://localhost:8000/other"},
        "another token": {"ath": token_hash("other")},
        "no token": {"ath": LEAVE_OUT},
        "another key": {
            "proof": keyed.proof("/oauth/userinfo", "GET", key=ec_key("x"), ath=token_hash(token))
        },
        "too old": {"iat": keyed.now - 600},
        "no id": {"jti": LEAVE_OUT},
        "no proof at all": {"proof": "nonsense"},
    }

    for name, how in wrong.items():
        answer = await userinfo(keyed, token, **how)
        assert answer.status_code in {400, 401}, name
        assert "error=" in answer.headers["www-authenticate"], name
    again = keyed.proof("/oauth/userinfo", "GET", ath=token_hash(token))
    assert (await userinfo(keyed, token, proof=again)).status_code == 200
    assert (await userinfo(keyed, token, proof=again)).status_code == 401


@pytest.mark.bar("A1-1.17")
async def test_refresh_token(house: House) -> None:
    keyed = await Keyed.fapi(house)
    tokens = await keyed.tokens(scope="openid offline_access")
    given = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}

    first, second = await keyed.token(**given), await keyed.token(**given)
    unproved = await keyed.token(headers={}, **given)
    other = await (await Keyed.fapi(house)).token(**given)

    assert first.status_code == second.status_code == 200  # nothing is rotated in this profile
    assert first.json()["refresh_token"] == tokens["refresh_token"]
    assert claims_of(first.json()["id_token"])["sub"] == claims_of(tokens["id_token"])["sub"]
    refused(unproved, "invalid_dpop_proof")
    refused(other, "invalid_grant")


@pytest.mark.bar("A1-1.8")
async def test_ensure_pkce_code_verifier_required(house: House) -> None:
    keyed = await Keyed.fapi(house)

    refused(await keyed.try_exchange(await keyed.code(), code_verifier=None), "invalid_grant")


@pytest.mark.bar("A1-1.8")
async def test_incorrect_pkce_code_verifier_rejected(house: House) -> None:
    keyed = await Keyed.fapi(house)

    refused(await keyed.try_exchange(await keyed.code(), code_verifier="w" * 43), "invalid_grant")


async def test_an_algorithm_that_was_registered_before_counts_no_more(house: House) -> None:
    keys = {"keys": [public(rsa_key(), kid="k1")]}
    keyed = await Keyed.fapi(
        house, key=rsa_key(), alg="RS256", jwks=keys, token_endpoint_auth_signing_alg="RS256"
    )

    refused(await keyed.try_push(), "invalid_client", 401)
