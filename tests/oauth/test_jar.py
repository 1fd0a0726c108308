"""Signed authorization requests (row 14.1)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from portico.oauth.protocol.jose.signing import sign_with_secret
from tests.oauth.keyed import ISSUER, LEAVE_OUT, Keyed, shown
from tests.oauth.kit import House, returned
from tests.oauth.protocol.foreign_keys import ec_key

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A14-14.1")]


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


async def ask(keyed: Keyed, request: str, **beside: Any) -> httpx2.Response:
    query = urlencode({"client_id": keyed.client.client_id, "request": request, **beside})
    return await keyed.house.get(f"/oauth/authorize?{query}")


async def answered(keyed: Keyed, request: str, **beside: Any) -> Mapping[str, str]:
    return returned(await keyed.house.answer(await ask(keyed, request, **beside)))


@pytest.mark.parametrize("typ", ["oauth-authz-req+jwt", "JWT", "jwt"])
async def test_a_signed_request_is_taken(house: House, typ: str) -> None:
    keyed = await Keyed.register(house)

    back = await answered(keyed, keyed.request_object(typ=typ))

    assert back["state"] == "st-1"
    assert (await keyed.exchange(back))["scope"] == "openid"


async def test_only_what_is_signed_counts(house: House) -> None:
    keyed = await Keyed.register(house)
    signed = keyed.request_object(state=LEAVE_OUT, nonce="inside")
    beside = {
        "scope": "openid email",
        "state": "beside",
        "nonce": "beside",
        "redirect_uri": "https://evil.example/",
    }

    back = await answered(keyed, signed, response_type="code", **beside)

    assert "state" not in back
    tokens = await keyed.exchange(back)
    assert tokens["scope"] == "openid"


async def test_what_is_missing_inside_is_missing(house: House) -> None:
    keyed = await Keyed.register(house)
    signed = keyed.request_object(response_type=LEAVE_OUT)

    back = await answered(keyed, signed, response_type="code")

    assert back["error"] == "invalid_request"


@pytest.mark.parametrize(
    "claims",
    [
        {"client_id": LEAVE_OUT},
        {"client_id": "somebody"},
        {"iss": "somebody"},
        {"aud": LEAVE_OUT},
        {"aud": "https://other-issuer.example"},
        {"aud": ["https://other-issuer.example"]},
        {"exp": 1},
        {"nbf": 9_999_999_999},
        {"request": "x.y.z"},
        {"request_uri": "urn:ietf:params:oauth:request_uri:x"},
        {"exp": "soon"},
    ],
    ids=str,
)
async def test_what_is_signed_must_be_for_us_and_of_now(house: House, claims: dict[str, Any]) -> None:
    keyed = await Keyed.register(house)

    shown(await ask(keyed, keyed.request_object(**claims)), "invalid_request_object")


async def test_several_audiences_may_have_us_among_them(house: House) -> None:
    keyed = await Keyed.register(house)

    back = await answered(keyed, keyed.request_object(aud=[ISSUER, "https://other.example"]))

    assert "code" in back


@pytest.mark.parametrize("how", ["another key", "nothing", "a shared secret", "another algorithm", "cut"])
async def test_the_signature_is_the_clients(house: House, how: str) -> None:
    keyed = await Keyed.register(house, request_object_signing_alg="ES256")
    good = keyed.request_object()
    head, body, signature = good.split(".")
    forged = {
        "another key": keyed.request_object(key=ec_key("attacker")),
        "nothing": f"eyJhbGciOiJub25lIn0.{body}.",
        "a shared secret": sign_with_secret({"client_id": keyed.client.client_id}, b"x" * 32, "HS256"),
        "another algorithm": keyed.request_object(key=ec_key("client", "P-384"), alg="ES384"),
        "cut": f"{head}.{body}.{signature[:-8]}",
    }

    shown(await ask(keyed, forged[how]), "invalid_request_object")


async def test_it_comes_one_way(house: House) -> None:
    keyed = await Keyed.register(house)

    asked = await ask(keyed, keyed.request_object(), request_uri="urn:ietf:params:oauth:request_uri:x")

    shown(asked, "invalid_request")


async def test_it_is_given_once(house: House) -> None:
    keyed = await Keyed.register(house)
    signed = keyed.request_object()
    query = urlencode([("client_id", keyed.client.client_id), ("request", signed), ("request", signed)])

    shown(await house.get(f"/oauth/authorize?{query}"), "invalid_request")


@pytest.mark.bar("A25-25.5")
async def test_nothing_is_fetched(house: House) -> None:
    keyed = await Keyed.register(house)
    query = urlencode({**house.request(keyed.client), "request_uri": "https://app.example/request.jwt"})

    asked = await house.get(f"/oauth/authorize?{query}")

    assert returned(asked)["error"] == "request_uri_not_supported"


async def test_a_client_may_have_to_sign(house: House) -> None:
    keyed = await Keyed.register(house, require_signed_request_object=True)

    plain = returned(await house.ask(keyed.client))
    signed = await answered(keyed, keyed.request_object())

    assert plain["error"] == "invalid_request"
    assert "code" in signed


async def test_a_signed_request_may_be_pushed(house: House) -> None:
    keyed = await Keyed.register(house, require_signed_request_object=True)
    pushed = await keyed.try_push({"request": keyed.request_object(), "client_id": keyed.client.client_id})

    plain = await keyed.try_push()
    back = await keyed.authorize(pushed.json()["request_uri"])

    assert plain.json()["error"] == "invalid_request"
    assert back["state"] == "st-1"


async def test_one_waits_for_a_sign_in_like_any_other(house: House) -> None:
    keyed = await Keyed.register(house, require_signed_request_object=True)
    query = urlencode({"client_id": keyed.client.client_id, "request": keyed.request_object()})
    asked = await house.get(f"/oauth/authorize?{query}", None)

    entered = await house.sign_in(asked.headers["location"], "ada")
    resumed = await house.answer(await house.get(entered.headers["location"]))

    assert "code" in returned(resumed)


@pytest.mark.parametrize("name", [":pushed", ":signed"])
async def test_names_that_we_give_ourselves_are_nobodys(house: House, name: str) -> None:
    """By them a request that waits says what it was; a client that signs them is not believed."""
    keyed = await Keyed.register(house)
    claims: dict[str, Any] = {name: "anything"}

    back = await answered(keyed, keyed.request_object(**claims))

    assert (await keyed.exchange(back))["scope"] == "openid"


async def test_lists_and_objects_inside_are_read(house: House) -> None:
    keyed = await Keyed.register(house)
    signed = keyed.request_object(
        resource=["https://api.example.com/mcp"],
        scope="openid tools:read",
        claims={"id_token": {"auth_time": {"essential": True}}},
        max_age=600,
    )

    tokens = await keyed.exchange(await answered(keyed, signed))

    assert tokens["scope"] == "openid tools:read"
