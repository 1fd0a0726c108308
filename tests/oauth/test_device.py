"""Devices without a keyboard (row 16.1)."""

import asyncio
import html
import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import select

from portico.audit.models import AuditEntry
from portico.core import failpoints
from portico.core.ids import new_id
from portico.oauth.models import OAuthClientRule, OAuthDevice
from portico.oauth.protocol.rfc8628_device import ALPHABET
from portico.oauth.services.grants import Grants
from portico.oauth.types import ClientVerdict, GrantEnd
from portico.testing.organizations import TestOrganizations
from tests.oauth.keyed import Keyed, refused
from tests.oauth.kit import House, TestClient, claims_of
from tests.oauth.protocol.foreign_keys import ec_key

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A16-16.1")]

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
MCP = "https://api.example.com/mcp"
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@pytest.fixture
def house(lasting_house: House) -> House:
    lasting_house.clock.advance(timedelta(minutes=10))  # nobody's tries count any more
    return lasting_house


async def television(house: House, **members: Any) -> TestClient:
    return await house.public_client(
        redirect_uris=[], grant_types=[DEVICE_CODE, "refresh_token"], client_name="Television", **members
    )


async def begin(house: House, client: TestClient, **parameters: Any) -> dict[str, Any]:
    house.http.cookies.clear()
    given = {**client.name, "scope": "openid tools:read", "resource": MCP, **parameters}
    answer = await house.http.post("/oauth/device_authorization", data=given, headers=client.proof)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    waiting: dict[str, Any] = answer.json()
    return waiting


async def poll(house: House, client: TestClient, waiting: Mapping[str, Any], **more: Any) -> httpx2.Response:
    return await house.token(client, grant_type=DEVICE_CODE, device_code=waiting["device_code"], **more)


async def post(house: House, fields: Mapping[str, str], person: str = "ada") -> httpx2.Response:
    page = await house.get("/device", person)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token is not None
    return await house.http.post(
        "/device",
        data={"csrf_token": html.unescape(token[1]), **fields},
        headers=house.cookie(person),
        follow_redirects=False,
    )


async def answer(
    house: House, waiting: Mapping[str, Any], action: str = "approve", person: str = "ada"
) -> httpx2.Response:
    """Type in the code and press a button of the page that comes."""
    page = await post(house, {"user_code": waiting["user_code"]}, person)
    assert page.status_code == 200, page.text
    hidden = {name: html.unescape(value) for name, value in _HIDDEN.findall(page.text)}
    return await post(house, {**hidden, "action": action}, person)


async def test_the_trail_says_who_let_the_television_in(house: House) -> None:
    client, shut_out = await television(house), await television(house)
    await answer(house, await begin(house, client))
    await answer(house, await begin(house, shut_out), "deny")

    async with house.runtime.reads() as session:
        told = (await session.scalars(select(AuditEntry).order_by(AuditEntry.id))).all()
    about: defaultdict[str, list[tuple[str, UUID | None]]] = defaultdict(list)
    for each in told:
        about[str(each.details.get("client_id"))].append((each.action, each.actor_id))
    ada = house.people["ada"].id
    assert about[client.client_id][-2:] == [("oauth.grant.given", ada), ("oauth.consent.given", ada)]
    assert about[shut_out.client_id][-1] == ("oauth.consent.denied", ada)


async def test_a_television_signs_in(house: House) -> None:
    client = await television(house)
    waiting = await begin(house, client)

    first = await poll(house, client, waiting)
    answered = await answer(house, waiting)
    tokens = await poll(house, client, waiting)

    refused(first, "authorization_pending")
    assert answered.status_code == 303
    assert answered.headers["location"] == "/device/approved"
    assert tokens.status_code == 200, tokens.text
    claims = claims_of(tokens.json()["access_token"])
    assert claims["aud"] == MCP
    assert claims["sub"] == str(house.people["ada"].id)
    assert claims["scope"] == "openid tools:read"
    assert claims_of(tokens.json()["id_token"])["aud"] == client.client_id
    again = await house.refreshed(client, tokens.json()["refresh_token"])
    assert again.status_code == 200, again.text


async def test_what_the_device_is_told(house: House) -> None:
    waiting = await begin(house, await television(house))

    assert waiting["verification_uri"] == "http://localhost:8000/device"
    assert waiting["verification_uri_complete"].endswith(f"/device?user_code={waiting['user_code']}")
    assert waiting["expires_in"] == 600
    assert waiting["interval"] == 5
    assert re.fullmatch(rf"[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}", waiting["user_code"])
    assert len(ALPHABET) ** 8 > 2**20
    assert len(waiting["device_code"]) > 43


async def test_neither_code_is_kept_readable(house: House) -> None:
    waiting = await begin(house, await television(house))

    async with house.runtime.reads() as session:
        rows = (await session.scalars(select(OAuthDevice))).all()

    kept = str([vars(row) for row in rows])
    assert waiting["device_code"] not in kept
    assert waiting["user_code"].replace("-", "") not in kept


async def test_whoever_asks_too_often_has_to_wait_longer(house: House) -> None:
    client = await television(house)
    waiting = await begin(house, client)
    await poll(house, client, waiting)

    house.clock.advance(timedelta(seconds=1))
    refused(await poll(house, client, waiting), "slow_down")  # now it is ten seconds
    house.clock.advance(timedelta(seconds=6))
    refused(await poll(house, client, waiting), "slow_down")  # now fifteen
    house.clock.advance(timedelta(seconds=15))
    refused(await poll(house, client, waiting), "authorization_pending")


async def test_it_expires(house: House) -> None:
    client = await television(house)
    waiting = await begin(house, client)
    house.clock.advance(timedelta(minutes=10))

    refused(await poll(house, client, waiting), "expired_token")
    late = await post(house, {"user_code": waiting["user_code"]})
    assert late.status_code == 410
    assert "No device is waiting with this code" in late.text


async def test_an_approval_that_is_fetched_too_late_is_none(house: House) -> None:
    client = await television(house)
    waiting = await begin(house, client)
    await answer(house, waiting)
    house.clock.advance(timedelta(minutes=10))

    refused(await poll(house, client, waiting), "expired_token")


async def test_the_person_says_no(house: House) -> None:
    client = await television(house)
    waiting = await begin(house, client)

    answered = await answer(house, waiting, "deny")

    assert answered.headers["location"] == "/device/denied"
    refused(await poll(house, client, waiting), "access_denied")
    assert (await answer_directly(house, waiting)).status_code == 410


async def answer_directly(house: House, waiting: Mapping[str, Any], person: str = "ada") -> httpx2.Response:
    return await post(house, {"user_code": waiting["user_code"], "action": "approve"}, person)


async def test_another_client_gets_nothing_for_it(house: House) -> None:
    client, other = await television(house), await television(house)
    waiting = await begin(house, client)
    await answer(house, waiting)

    refused(await poll(house, other, waiting), "invalid_grant")
    assert (await poll(house, client, waiting)).status_code == 200


@pytest.mark.bar("CHECK-12")
async def test_of_fifty_who_ask_at_once_one_gets_tokens(house: House) -> None:
    client = await television(house)
    waiting = await begin(house, client)
    await answer(house, waiting)

    asked = await asyncio.gather(*[poll(house, client, waiting) for _ in range(50)])

    assert sorted(each.status_code for each in asked) == [200] + [400] * 49
    assert {each.json()["error"] for each in asked if each.status_code == 400} == {"invalid_grant"}


@pytest.mark.bar("CHECK-12")
async def test_of_two_people_who_answer_at_once_one_counts(house: House) -> None:
    client = await television(house)
    waiting = await begin(house, client)

    failpoints.armed["oauth.device.before_decide"] = failpoints.delaying(0.05)  # both have seen it wait
    try:
        answers = await asyncio.gather(
            answer_directly(house, waiting), answer_directly(house, waiting, "bob")
        )
    finally:
        failpoints.armed.clear()

    assert sorted(each.status_code for each in answers) == [303, 410]
    winner = ("ada", "bob")[[each.status_code for each in answers].index(303)]
    tokens = (await poll(house, client, waiting)).json()
    assert claims_of(tokens["access_token"])["sub"] == str(house.people[winner].id)


@pytest.mark.parametrize("form", ["{0}-{1}", "{0}{1}", " {0} {1} "])
async def test_the_code_may_be_typed_in_any_way(house: House, form: str) -> None:
    waiting = await begin(house, await television(house))
    typed = form.format(*waiting["user_code"].lower().split("-"))

    page = await post(house, {"user_code": typed})

    assert page.status_code == 200, page.text
    assert waiting["user_code"] in page.text


async def test_a_link_with_the_code_still_asks(house: House) -> None:
    client = await television(house)
    waiting = await begin(house, client)

    page = await house.get(waiting["verification_uri_complete"])

    assert page.status_code == 200
    assert f'value="{waiting["user_code"]}"' in page.text
    assert "approve" not in page.text
    refused(await poll(house, client, waiting), "authorization_pending")


async def test_the_question_names_who_asks_for_what_and_from_where(house: House) -> None:
    waiting = await begin(house, await television(house))

    page = await post(house, {"user_code": waiting["user_code"]})

    for words in ("Television", "Did you start this?", waiting["user_code"], "127.0.0.1", "Read your tools"):
        assert words in page.text, words
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text.replace('<script src="', "")


async def test_nobody_answers_without_signing_in(house: House) -> None:
    waiting = await begin(house, await television(house))

    page = await house.http.get(
        waiting["verification_uri_complete"], headers={"Accept": "text/html"}, follow_redirects=False
    )
    posted = await house.http.post("/device", data={"user_code": waiting["user_code"], "action": "approve"})

    assert page.status_code == 303
    assert page.headers["location"].startswith("/login?next=/device")
    assert posted.status_code in {401, 403}


async def test_a_form_of_another_page_answers_nothing(house: House) -> None:
    client = await television(house)
    waiting = await begin(house, client)

    forged = await house.http.post(
        "/device",
        data={"user_code": waiting["user_code"], "action": "approve"},
        headers={**house.cookie("ada"), "Origin": "https://evil.example"},
    )

    assert forged.status_code == 403
    refused(await poll(house, client, waiting), "authorization_pending")


@pytest.mark.bar("CHECK-14")
@pytest.mark.parametrize("seal", [{}, {"seal": "forged"}], ids=["without a seal", "with a forged one"])
async def test_codes_cannot_be_guessed(house: House, seal: dict[str, str]) -> None:
    waiting = await begin(house, await television(house))

    tries = [await post(house, {"user_code": "BCDF-GHJK", **seal}, "bob") for _ in range(6)]
    right = await post(house, {"user_code": waiting["user_code"], **seal}, "bob")
    of_ada = await post(house, {"user_code": waiting["user_code"]})

    assert [each.status_code for each in tries] == [410] * 5 + [429]
    assert int(tries[-1].headers["retry-after"]) > 0
    assert right.status_code == 429
    assert of_ada.status_code == 200


async def test_an_answer_to_what_one_was_shown_is_no_further_try(house: House) -> None:
    client = await television(house)

    answers = [await answer(house, await begin(house, client)) for _ in range(5)]

    assert [each.status_code for each in answers] == [303] * 5


async def test_it_is_for_clients_that_registered_for_it(house: House) -> None:
    client = await house.public_client()

    asked = await house.http.post("/oauth/device_authorization", data=client.name)
    polled = await house.token(client, grant_type=DEVICE_CODE, device_code="x")

    refused(asked, "unauthorized_client")
    refused(polled, "unauthorized_client")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"resource": "https://unknown.example/"}, "invalid_target"),
        ({"scope": "nothing:known"}, "invalid_scope"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
        ({"scope": ["openid", "openid"]}, "invalid_request"),
    ],
)
async def test_what_it_asks_for_is_checked_at_once(house: House, changed: dict[str, Any], error: str) -> None:
    client = await television(house)

    asked = await house.http.post("/oauth/device_authorization", data={**client.name, **changed})

    refused(asked, error)


@pytest.mark.parametrize("code", ["", "x", "pdc_" + "A" * 43, "pcd_" + "A" * 49])
async def test_what_is_no_device_code_is_refused(house: House, code: str) -> None:
    client = await television(house)

    answered = await house.token(client, grant_type=DEVICE_CODE, device_code=code)

    assert answered.status_code == 400
    assert answered.json()["error"] == ("invalid_grant" if code else "invalid_request")


async def test_a_device_may_ask_for_less_than_was_allowed(house: House) -> None:
    client = await television(house)
    waiting = await begin(house, client)
    await answer(house, waiting)

    more = await poll(house, client, waiting, scope="tools:write")
    less = await poll(house, client, waiting, scope="tools:read")

    refused(more, "invalid_scope")
    assert less.json()["scope"] == "tools:read"


async def test_what_was_taken_back_before_it_was_fetched_gives_nothing(house: House) -> None:
    client = await television(house)
    waiting = await begin(house, client)
    await answer(house, waiting)
    unit = house.runtime.unit()
    await Grants(house.runtime, unit).end_of_client(client.key, GrantEnd.REVOKED_BY_PERSON)

    refused(await poll(house, client, waiting), "invalid_grant")


async def test_a_device_that_can_prove_itself_does(house: House) -> None:
    keyed = await Keyed.register(house, redirect_uris=[], grant_types=[DEVICE_CODE])
    asked = await keyed.post("/oauth/device_authorization", {"scope": "openid", **keyed.proved()})
    await answer(house, asked.json())

    without = await house.http.post(
        "/oauth/token",
        data={
            "grant_type": DEVICE_CODE,
            "device_code": asked.json()["device_code"],
            "client_id": keyed.client.client_id,
        },
    )
    proved = await keyed.token(grant_type=DEVICE_CODE, device_code=asked.json()["device_code"])

    refused(without, "invalid_client", 401)
    assert proved.status_code == 200, proved.text
    assert "refresh_token" not in proved.json()


@pytest.mark.bar("A15-15.2")
async def test_refresh_tokens_of_a_device_are_bound_to_its_key(house: House) -> None:
    client = await television(house)
    keyed = Keyed(house, client, ec_key(), proof_key=ec_key("proof"))
    waiting = await begin(house, client)
    await answer(house, waiting)
    tokens = (await poll(house, client, waiting, headers=keyed.bound())).json()

    stolen = await house.refreshed(
        client, tokens["refresh_token"], headers={"DPoP": keyed.proof(key=ec_key("thief"))}
    )
    own = await house.refreshed(client, tokens["refresh_token"], headers=keyed.bound())

    assert tokens["token_type"] == "DPoP"
    refused(stolen, "invalid_grant")
    assert own.status_code == 200, own.text


async def test_the_person_says_where_the_device_works(house: House) -> None:
    client = await television(house)
    office = await TestOrganizations(house.runtime).make(house.people["ada"])
    alone, there = await begin(house, client), await begin(house, client)

    page = await post(house, {"user_code": there["user_code"]})
    await answer_directly(house, alone)
    await post(house, {**typed(there), "organization_id": str(office.id)})

    assert f'<option value="{office.id}"' in page.text
    assert "org_id" not in claims_of((await poll(house, client, alone)).json()["access_token"])
    assert claims_of((await poll(house, client, there)).json()["access_token"])["org_id"] == str(office.id)


def typed(waiting: Mapping[str, Any]) -> dict[str, str]:
    return {"user_code": waiting["user_code"], "action": "approve"}


async def test_an_organization_may_keep_the_device_out(house: House) -> None:
    client = await television(house)
    office = await TestOrganizations(house.runtime).make(house.people["ada"])
    strange = await TestOrganizations(house.runtime).make(house.people["bob"])
    await keep_out(house, client, office.id)
    waiting = await begin(house, client)

    for organization in (str(office.id), str(strange.id), "nonsense"):
        answered = await post(house, {**typed(waiting), "organization_id": organization})
        assert answered.status_code == 403, organization
    refused(await poll(house, client, waiting), "authorization_pending")


async def keep_out(house: House, client: TestClient, organization_id: UUID) -> None:
    now = house.clock.now()
    async with house.runtime.unit() as unit:
        unit.session.add(
            OAuthClientRule(
                id=new_id(),
                organization_id=organization_id,
                client_key=client.key,
                verdict=ClientVerdict.DENIED,
                created_at=now,
                updated_at=now,
            )
        )
