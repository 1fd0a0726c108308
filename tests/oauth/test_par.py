"""Pushed authorization requests (row 13.1)."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portico.oauth.models import OAuthRequest
from portico.oauth.types import ClientPolicy
from tests.oauth.keyed import Keyed, refused, shown, thumbprint
from tests.oauth.kit import FORM, House, returned
from tests.oauth.protocol.foreign_keys import ec_key

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A13-13.1")]


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


async def test_a_pushed_request_is_named_and_answered(house: House) -> None:
    keyed = await Keyed.register(house)

    answer = await keyed.try_push(scope="openid")
    back = await keyed.authorize(answer.json()["request_uri"])

    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["expires_in"] == 90
    name = answer.json()["request_uri"]
    assert name.startswith("urn:ietf:params:oauth:request_uri:")
    assert len(name) > len("urn:ietf:params:oauth:request_uri:") + 40  # 256 bits and a checksum
    assert back["state"] == "st-1"
    assert (await keyed.exchange(back))["scope"] == "openid"


async def test_a_client_pushes_by_its_secret_and_need_not_repeat_its_name(house: House) -> None:
    client = await house.client()
    parameters = house.request(client, client_id=None)

    pushed = await house.http.post("/oauth/par", data=parameters, headers=client.basic)

    assert pushed.status_code == 201, pushed.text
    query = {"client_id": client.client_id, "request_uri": pushed.json()["request_uri"]}
    asked = await house.get(
        f"/oauth/authorize?client_id={query['client_id']}&request_uri={query['request_uri']}"
    )
    assert asked.headers["location"].startswith("/oauth/consent")


async def test_a_public_client_pushes_by_its_name(house: House) -> None:
    client = await house.public_client()

    pushed = await house.http.post("/oauth/par", data=house.request(client))

    assert pushed.status_code == 201, pushed.text


async def test_pushing_needs_the_proof_of_the_client(house: House) -> None:
    keyed = await Keyed.register(house)

    without = await house.http.post("/oauth/par", data=house.request(keyed.client))
    forged = await keyed.try_push(assertion=keyed.assertion(key=ec_key("attacker")))

    refused(without, "invalid_client", 401)
    refused(forged, "invalid_client", 401)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "nothing:known"}, "invalid_scope"),
        ({"resource": "https://unknown.example/"}, "invalid_target"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"claims": "{"}, "invalid_request"),
        ({"dpop_jkt": "short"}, "invalid_request"),
        ({"authorization_details": "[{}]"}, "invalid_authorization_details"),
        ({"state": ["a", "b"]}, "invalid_request"),
    ],
)
async def test_what_the_authorization_endpoint_refuses_cannot_be_pushed(
    house: House, changed: dict[str, Any], error: str
) -> None:
    keyed = await Keyed.register(house)

    refused(await keyed.try_push(**changed), error)


async def test_it_takes_posts_only(house: House) -> None:
    answer = await house.http.get("/oauth/par")

    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


async def test_it_takes_no_more_than_64_kilobytes(house: House) -> None:
    answer = await house.http.post("/oauth/par", content=b"state=" + b"x" * 70_000, headers=FORM)

    assert answer.status_code == 413


async def test_another_client_cannot_use_it(house: House) -> None:
    keyed, other = await Keyed.register(house), await Keyed.register(house)
    pushed = await keyed.push()

    shown(await other.ask_with(pushed), "invalid_request_uri")


async def test_it_expires(house: House) -> None:
    keyed = await Keyed.register(house)
    pushed = await keyed.push()
    house.clock.advance(timedelta(seconds=90))

    shown(await keyed.ask_with(pushed), "invalid_request_uri")


async def test_it_may_be_opened_again_until_it_is_answered(house: House) -> None:
    keyed = await Keyed.register(house)
    pushed = await keyed.push()
    await keyed.ask_with(pushed)
    await keyed.ask_with(pushed, None)

    back = await keyed.authorize(pushed)
    again = await keyed.ask_with(pushed)

    assert "code" in back
    shown(again, "invalid_request_uri")


async def test_it_is_over_when_the_person_says_no(house: House) -> None:
    keyed = await Keyed.register(house)
    pushed = await keyed.push()

    back = await keyed.authorize(pushed, action="deny")

    assert back["error"] == "access_denied"
    shown(await keyed.ask_with(pushed), "invalid_request_uri")


async def test_of_two_browsers_that_answer_it_one_gets_a_code(house: House) -> None:
    keyed = await Keyed.register(house)
    pushed = await keyed.push()
    questions = [await keyed.ask_with(pushed) for _ in range(2)]

    answers = [await house.answer(each) for each in questions]

    assert [answer.status_code for answer in answers] == [303, 400]


async def test_many_who_come_back_at_once_get_one_code(house: House) -> None:
    keyed = await Keyed.register(house, policy=ClientPolicy(is_trusted=True))
    pushed = await keyed.push()
    house.http.cookies.clear()

    asked = await asyncio.gather(*[keyed.ask_with(pushed) for _ in range(12)])

    codes = [each for each in asked if "code=" in each.headers.get("location", "")]
    assert len(codes) == 1


async def test_what_stands_beside_it_does_not_count(house: House) -> None:
    keyed = await Keyed.register(house)
    pushed = await keyed.push(state="pushed")

    asked = await keyed.ask_with(
        pushed, state="beside", scope="openid email", redirect_uri="https://evil.example/"
    )
    back = returned(await house.answer(asked))

    assert back["state"] == "pushed"
    assert (await keyed.exchange(back))["scope"] == "openid"


async def test_a_request_uri_of_others_is_not_fetched(house: House) -> None:
    keyed = await Keyed.register(house)

    shown(await keyed.ask_with("https://client.example/request.jwt"), "request_uri_not_supported")


async def test_a_client_may_have_to_push(house: House) -> None:
    client = await house.client(require_pushed_authorization_requests=True)

    asked = await house.ask(client)

    assert returned(asked)["error"] == "invalid_request"


@pytest.mark.bar("A15-15.2")
async def test_a_proof_beside_it_binds_the_code(house: House) -> None:
    keyed = await Keyed.register(house, proof_key=ec_key("proof"))
    pushed = await keyed.try_push(headers=keyed.bound("/oauth/par"))
    back = await keyed.authorize(pushed.json()["request_uri"])

    other = await keyed.try_exchange(back, headers={"DPoP": keyed.proof(key=ec_key("another"))})
    without = await keyed.try_exchange(back, headers={})
    good = await keyed.exchange(back)

    refused(other, "invalid_grant")
    refused(without, "invalid_grant")
    assert good["token_type"] == "DPoP"


@pytest.mark.bar("A15-15.2")
async def test_a_proof_and_dpop_jkt_name_the_same_key(house: House) -> None:
    keyed = await Keyed.register(house, proof_key=ec_key("proof"))

    same = await keyed.try_push(headers=keyed.bound("/oauth/par"), dpop_jkt=thumbprint(ec_key("proof")))
    other = await keyed.try_push(headers=keyed.bound("/oauth/par"), dpop_jkt=thumbprint(ec_key("another")))

    assert same.status_code == 201, same.text
    refused(other, "invalid_dpop_proof")


async def test_an_assertion_is_good_once_here_too(house: House) -> None:
    keyed = await Keyed.register(house)
    assertion = keyed.assertion()

    first = await keyed.try_push(assertion=assertion)
    second = await keyed.try_push(assertion=assertion)

    assert first.status_code == 201
    refused(second, "invalid_client", 401)


async def test_secrets_of_the_client_are_not_kept(house: House) -> None:
    client = await house.client(token_endpoint_auth_method="client_secret_post")
    answer = await house.http.post(
        "/oauth/par", data={**house.request(client), "client_secret": client.secret}
    )

    assert answer.status_code == 201, answer.text
    async with house.runtime.reads() as session:
        kept = (await session.scalars(select(OAuthRequest.parameters))).all()
    assert client.client_id in str(kept)
    assert str(client.secret) not in str(kept)
    assert answer.json()["request_uri"].rpartition(":")[2] not in str(kept)
