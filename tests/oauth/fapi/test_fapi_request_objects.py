"""The modules on signed requests, of the FAPI 2.0 Security Profile and Message Signing plans, by their names."""

import base64
import json
from typing import Any

import pytest

from tests.oauth.fapi.profile import push_object, pushed, signer
from tests.oauth.keyed import ISSUER, LEAVE_OUT, refused, shown
from tests.oauth.kit import House, claims_of, returned
from tests.oauth.protocol.foreign_keys import ec_key, public, rsa_key

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A24-24.1", "A14-14.1")]

ERROR = "invalid_request_object"


async def refuses(house: House, **claims: Any) -> None:
    keyed = await signer(house)

    refused(await push_object(keyed, keyed.request_object(**claims)), ERROR)
    assert (
        await push_object(keyed, keyed.request_object())
    ).status_code == 201  # nothing else is wrong with it


def now(house: House) -> int:
    return int(house.clock.now().timestamp())


async def test_ensure_request_object_with_multiple_aud_succeeds(house: House) -> None:
    keyed = await signer(house)

    back = await keyed.authorize(await pushed(keyed, aud=[ISSUER, "https://other1.example.com"]))

    assert "code" in back


async def test_ensure_request_object_without_exp_fails(house: House) -> None:
    await refuses(house, exp=LEAVE_OUT)


async def test_ensure_request_object_without_nbf_fails(house: House) -> None:
    await refuses(house, nbf=LEAVE_OUT)


async def test_ensure_expired_request_object_fails(house: House) -> None:
    await refuses(house, nbf=now(house) - 600, exp=now(house) - 300)


async def test_ensure_request_object_with_bad_aud_fails(house: House) -> None:
    await refuses(house, aud="https://bad.aud.example")


async def test_ensure_request_object_with_exp_over_60_fails(house: House) -> None:
    await refuses(house, exp=now(house) + 70 * 60)


async def test_ensure_request_object_with_nbf_over_60_fails(house: House) -> None:
    await refuses(house, nbf=now(house) - 70 * 60, exp=now(house) + 60)


async def test_ensure_request_object_with_nbf_8_seconds_in_the_future_is_accepted(house: House) -> None:
    keyed = await signer(house)

    back = await keyed.authorize(await pushed(keyed, nbf=now(house) + 8))

    assert "code" in back


async def test_ensure_signed_request_object_with_RS256_fails(house: House) -> None:  # noqa: N802
    keys = {"keys": [public(ec_key(), kid="k1"), public(rsa_key(), kid="k2")]}
    keyed = await signer(house, jwks=keys)

    weak = keyed.request_object(key=rsa_key(), alg="RS256", kid="k2")
    strong = keyed.request_object(key=rsa_key(), alg="PS256", kid="k2")

    refused(await push_object(keyed, weak), ERROR)
    assert (await push_object(keyed, strong)).status_code == 201


async def test_ensure_request_object_signature_algorithm_is_not_none(house: House) -> None:
    keyed = await signer(house)
    body = keyed.request_object().split(".")[1]
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()

    refused(await push_object(keyed, f"{head}.{body}."), ERROR)


async def test_ensure_request_object_with_invalid_signature_fails(house: House) -> None:
    keyed = await signer(house)
    head, body, signature = keyed.request_object().split(".")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]

    refused(await push_object(keyed, f"{head}.{body}.{flipped}"), ERROR)


async def test_ensure_matching_key_in_authorization_request(house: House) -> None:
    keyed, other = await signer(house), await signer(house, key=ec_key("second"))

    refused(await push_object(keyed, keyed.request_object(key=other.key)), ERROR)


async def test_ensure_unsigned_request_at_par_endpoint_fails(house: House) -> None:
    keyed = await signer(house)

    refused(await keyed.try_push(), "invalid_request")


async def test_par_authorization_request_containing_request_uri(house: House) -> None:
    keyed = await signer(house)
    name = await pushed(keyed)

    refused(await push_object(keyed, keyed.request_object(request_uri=name)), ERROR)


async def test_par_authorization_request_containing_request_uri_form_param(house: House) -> None:
    keyed = await signer(house)
    name = await pushed(keyed)

    answer = await push_object(keyed, keyed.request_object(), request_uri=name)

    refused(answer, "invalid_request")


async def test_par_without_duplicate_parameters(house: House) -> None:
    keyed = await signer(house)

    answer = await keyed.try_push({"request": keyed.request_object()})  # nothing of it stands beside it

    assert answer.status_code == 201, answer.text
    assert "code" in await keyed.authorize(answer.json()["request_uri"])


async def test_ensure_request_object_without_redirect_uri_fails(house: House) -> None:
    keyed = await signer(house)

    answer = await push_object(
        keyed, keyed.request_object(redirect_uri=LEAVE_OUT), redirect_uri=keyed.client.redirect_uri
    )

    refused(answer, "invalid_request")


async def test_ensure_different_nonce_inside_and_outside_request_object(house: House) -> None:
    keyed = await signer(house)
    name = await pushed(keyed, nonce="inside")

    back = returned(await house.answer(await keyed.ask_with(name, nonce="outside")))

    assert claims_of((await keyed.exchange(back))["id_token"])["nonce"] == "inside"


async def test_ensure_different_state_inside_and_outside_request_object(house: House) -> None:
    keyed = await signer(house)
    name = await pushed(keyed, state="inside")

    back = returned(await house.answer(await keyed.ask_with(name, state="outside")))

    assert back["state"] == "inside"


async def test_state_only_outside_request_object_not_used(house: House) -> None:
    keyed = await signer(house)
    answer = await push_object(keyed, keyed.request_object(state=LEAVE_OUT), state="outside")

    back = returned(
        await house.answer(await keyed.ask_with(answer.json()["request_uri"], state="outside too"))
    )

    assert "code" in back
    assert "state" not in back


async def test_ensure_unsigned_authorization_request_without_using_par_fails(house: House) -> None:
    keyed = await signer(house)

    asked = await house.ask(keyed.client)

    assert returned(asked)["error"] == "invalid_request"


async def test_a_signed_request_must_be_pushed_all_the_same(house: House) -> None:
    keyed = await signer(house)
    query = f"client_id={keyed.client.client_id}&request={keyed.request_object()}"

    asked = await house.get(f"/oauth/authorize?{query}")

    assert returned(asked)["error"] == "invalid_request"


async def test_another_clients_request_object_is_none(house: House) -> None:
    keyed, other = await signer(house), await signer(house)

    refused(await push_object(keyed, other.request_object()), ERROR)


async def test_a_request_uri_is_no_request_object(house: House) -> None:
    keyed = await signer(house)

    shown(await keyed.ask_with("urn:ietf:params:oauth:request_uri:made-up"), "invalid_request_uri")
