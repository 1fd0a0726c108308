"""Signed authorization responses (JWT Secured Authorization Response Mode; row 22.1), read as a client reads them."""

from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from portico.oauth.protocol.fapi2_security_profile import CLIENT_CHECKS, unmet
from portico.oauth.protocol.jarm_response_modes import LIFETIME
from portico.oauth.protocol.refusals import Refused
from portico.oauth.types import ClientSource
from tests.oauth.keyed import ISSUER, Keyed, refused
from tests.oauth.kit import CALLBACK, House, TestClient, returned
from tests.oauth.offices import Office, developed
from tests.oauth.pages import fields_of, words_of

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A22-22.1")]

LASTING_OAUTH = {"dynamic_registration": "open"}
MODES = ("jwt", "query.jwt", "form_post.jwt")


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


async def opened(
    house: House, client: TestClient, back: dict[str, str], alg: str = "RS256"
) -> dict[str, Any]:
    """Return what an answer says, after all that a client has to look at (section 2.4)."""
    assert back.keys() == {"response"}, back
    keys = KeySet.import_key_set((await house.http.get("/.well-known/jwks.json")).json())
    claims: dict[str, Any] = jwt.decode(back["response"], keys, algorithms=[alg]).claims
    now = int(house.clock.now().timestamp())
    essential: dict[str, Any] = {"iss": {"essential": True, "value": ISSUER}, "exp": {"essential": True}}
    registry = jwt.JWTClaimsRegistry(now=now, aud={"essential": True, "value": client.client_id}, **essential)
    registry.validate(claims)
    assert claims["aud"] == client.client_id
    assert now < claims["exp"] <= now + 600
    return claims


async def asked(house: House, client: TestClient, **parameters: Any) -> dict[str, str]:
    """Ask and consent; return the parameters of the answer, however it travels."""
    answer = await house.answer(await house.ask(client, **parameters))
    return fields_of(answer, CALLBACK) if answer.status_code == 200 else returned(answer)


@pytest.mark.parametrize("mode", MODES)
async def test_a_code_comes_signed_with_everything_beside_it(house: House, mode: str) -> None:
    client = await house.client()

    said = await opened(house, client, await asked(house, client, response_mode=mode))

    assert said.keys() == {"iss", "aud", "exp", "code", "state"}
    assert said["state"] == "st-1"
    assert (await house.exchange(client, said))["token_type"] == "Bearer"


async def test_each_mode_travels_as_it_is_called(house: House) -> None:
    client = await house.client()

    for mode, status in (("jwt", 303), ("query.jwt", 303), ("form_post.jwt", 200)):
        answer = await house.answer(await house.ask(client, response_mode=mode))

        assert answer.status_code == status, mode
        assert "#" not in answer.headers.get("location", "")
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("mode", MODES)
async def test_refusals_come_signed(house: House, mode: str) -> None:
    """Those of the checks, those of the sign-in, and the person's own no."""
    client = await house.client()
    silent = await house.ask(client, person=None, response_mode=mode, prompt="none")
    checked = await house.ask(client, response_mode=mode, scope="nothing:known")
    denied = await house.answer(await house.ask(client, response_mode=mode, prompt="consent"), action="deny")

    for answer, error in (
        (silent, "login_required"),
        (checked, "invalid_scope"),
        (denied, "access_denied"),
    ):
        back = fields_of(answer, CALLBACK) if answer.status_code == 200 else returned(answer)
        said = await opened(house, client, back)
        assert said.keys() == {"iss", "aud", "exp", "error", "error_description", "state"}
        assert (said["error"], said["state"]) == (error, "st-1")


async def test_a_reference_that_is_not_taken_is_refused_as_the_client_wants_answers(house: House) -> None:
    client = await house.client()

    answer = await house.ask(client, request_uri="https://app.example/request", response_mode="jwt")

    assert (await opened(house, client, returned(answer)))["error"] == "request_uri_not_supported"


async def test_the_link_of_a_refusal_that_stays_here_leads_to_a_signed_one(house: House) -> None:
    """Nobody vouches for the client and nobody is signed in: the visitor decides whether he goes on (row 1.21)."""
    client = await house.client(source=ClientSource.DYNAMIC)

    page = await house.ask(client, person=None, response_mode="jwt", scope="nothing:known")

    assert page.status_code == 400
    assert "Go back to app.example" in words_of(page)
    token = page.text.partition(f'href="{CALLBACK}?response=')[2].partition('"')[0]
    assert (await opened(house, client, {"response": token}))["error"] == "invalid_scope"


async def test_a_client_chooses_what_signs(house: House) -> None:
    client = await house.client(authorization_signed_response_alg="ES256")

    said = await opened(house, client, await asked(house, client, response_mode="jwt"), "ES256")

    assert "code" in said


async def test_administrators_and_clients_themselves_say_what_signs(house: House) -> None:
    office = await Office.of(house)
    said: dict[str, Any] = {"redirect_uris": [CALLBACK], "authorization_signed_response_alg": "ES256"}

    made = await office.make(kind="server", **said)
    registered = await house.http.post("/oauth/register", json=said)
    weak = await house.http.post(
        "/oauth/register", json={**said, "authorization_signed_response_alg": "none"}
    )

    assert made["authorization_signed_response_alg"] == "ES256"
    assert registered.json()["authorization_signed_response_alg"] == "ES256"
    assert (weak.status_code, weak.json()["error"]) == (400, "invalid_client_metadata")
    client = developed(made)
    assert "code" in await opened(house, client, await asked(house, client, response_mode="jwt"), "ES256")


async def test_without_the_mode_nothing_is_signed(house: House) -> None:
    client = await house.client(authorization_signed_response_alg="ES256")

    assert (await asked(house, client)).keys() == {"code", "state", "iss"}


async def test_another_algorithm_is_not_registered(house: House) -> None:
    for alg in ("none", "HS256", "PS256"):
        with pytest.raises(Refused) as caught:
            await house.client(authorization_signed_response_alg=alg)
        assert caught.value.error == "invalid_client_metadata"


@pytest.mark.parametrize("mode", ["fragment", "fragment.jwt", "web_message", "query.JWT"])
async def test_no_other_mode_is_taken(house: House, mode: str) -> None:
    client = await house.client()

    back = await asked(house, client, response_mode=mode)

    assert back["error"] == "invalid_request"
    assert back["iss"] == ISSUER


async def test_a_pushed_and_a_signed_request_ask_for_it_too(house: House) -> None:
    keyed = await Keyed.register(house)

    pushed = await keyed.authorize(await keyed.push(response_mode="jwt"))
    signed = await keyed.authorize(
        (
            await keyed.try_push(
                {
                    "client_id": keyed.client.client_id,
                    "request": keyed.request_object(response_mode="query.jwt"),
                }
            )
        ).json()["request_uri"]
    )
    outside = await keyed.authorize(await keyed.push())

    for back in (pushed, signed):
        said = await opened(house, keyed.client, back)
        assert "access_token" in await keyed.exchange(said)
    assert outside.keys() == {"code", "state", "iss"}


async def test_what_stands_beside_a_pushed_request_changes_no_mode(house: House) -> None:
    keyed = await Keyed.register(house)
    name = await keyed.push(response_mode="jwt")

    back = returned(await house.answer(await keyed.ask_with(name, response_mode="query")))

    assert back.keys() == {"response"}


async def test_a_request_that_waited_for_a_sign_in_is_answered_signed(house: House) -> None:
    client = await house.client()
    waiting = await house.ask(client, person=None, response_mode="jwt")
    entered = await house.sign_in(waiting.headers["location"], "ada")
    house.http.cookies.clear()

    back = returned(await house.answer(await house.get(entered.headers["location"])))

    assert "code" in await opened(house, client, back)


@pytest.mark.bar("A24-24.1")
async def test_a_fapi_client_that_registers_it_must_ask_for_it(house: House) -> None:
    """FAPI 2.0 Message Signing, section 5.4; one that says nothing gets plain answers, and may ask for signed ones."""
    strict = await Keyed.fapi(house, authorization_signed_response_alg="ES256")
    free = await Keyed.fapi(house)

    refused(await strict.try_push(), "invalid_request")
    said = await opened(house, strict.client, await strict.code(response_mode="jwt"), "ES256")
    assert "access_token" in await strict.exchange(said)
    assert "code" in await free.code()
    assert "code" in await opened(house, free.client, await free.code(response_mode="jwt"), "ES256")


@pytest.mark.bar("A24-24.1")
async def test_a_fapi_client_cannot_register_a_weak_one(house: House) -> None:
    keyed = await Keyed.fapi(house, authorization_signed_response_alg="RS256")

    assert unmet(CLIENT_CHECKS, keyed.client.metadata) == ["strong signatures of authorization responses"]


async def test_an_answer_is_no_id_token(house: House) -> None:
    """It is signed by the same keys; as a hint it is refused, for it names no subject."""
    client = await house.client()
    back = await asked(house, client, response_mode="jwt")

    answer = await asked(house, client, id_token_hint=back["response"])

    assert answer["error"] == "invalid_request"


async def test_nobody_can_ask_for_more_time(house: House) -> None:
    assert LIFETIME.total_seconds() <= 600
    client = await house.client()
    back = await asked(house, client, response_mode="jwt", exp="9999999999", aud="other", iss="https://evil")

    await opened(house, client, back)
