"""Clients that send browsers to sign out (RP-Initiated Logout 1.0), and what browsers are asked to tell others."""

import html
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from tests.integration.ground import enter
from tests.oauth.kit import FORM, House, TestClient, claims_of
from tests.oauth.presenting import altered, told

pytestmark = pytest.mark.anyio

LEAVING = "https://app.example/bye"
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@pytest.fixture
async def house(lasting_house: House) -> House:
    """The house of the module; everybody is signed in anew."""
    for name, person in list(lasting_house.people.items()):
        lasting_house.people[name] = await enter(lasting_house.runtime, person.account)
    return lasting_house


async def client_of(house: House, **members: Any) -> TestClient:
    return await house.client(post_logout_redirect_uris=[LEAVING], **members)


async def leave(house: House, person: str | None = "ada", **parameters: str) -> httpx2.Response:
    """Send a browser to the logout endpoint."""
    return await house.get(f"/oauth/logout?{urlencode(parameters)}", person)


async def confirm(house: House, page: httpx2.Response, person: str = "ada") -> httpx2.Response:
    """Press the button of the question."""
    fields = {html.unescape(name): html.unescape(value) for name, value in _HIDDEN.findall(page.text)}
    return await house.http.post(
        "/oauth/logout/confirm", data=fields, headers=house.cookie(person), follow_redirects=False
    )


async def is_signed_in(house: House, person: str = "ada") -> bool:
    """Look whether the browser's session goes on."""
    return (await house.get("/account", person)).status_code == 200


def is_question(answer: httpx2.Response) -> bool:
    """Tell whether the page asks."""
    return answer.status_code == 200 and "/oauth/logout/confirm" in answer.text


@pytest.mark.bar("A26-26.1")
async def test_a_hint_for_whoever_is_signed_in_signs_out_and_goes_back(house: House) -> None:
    client = await client_of(house)
    tokens = await house.tokens(client)
    house.clock.advance(timedelta(hours=1))  # an expired hint is a hint

    answer = await leave(
        house, id_token_hint=tokens["id_token"], post_logout_redirect_uri=LEAVING, state="a b&c"
    )

    assert answer.status_code == 303
    assert answer.headers["location"] == f"{LEAVING}?state=a+b%26c"
    assert "portico_session=" in answer.headers["set-cookie"]
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert not await is_signed_in(house)
    assert (await told(house, tokens["access_token"])).status_code == 401
    assert (await house.refreshed(client, tokens["refresh_token"])).json()["error"] == "invalid_grant"


@pytest.mark.bar("A26-26.1", "ASVS-7.4.1")
async def test_what_was_granted_for_longer_outlives_the_session(house: House) -> None:
    client = await client_of(house)
    tokens = await house.tokens(client, scope="openid offline_access", prompt="consent")

    await leave(house, id_token_hint=tokens["id_token"])

    assert not await is_signed_in(house)
    assert (await house.refreshed(client, tokens["refresh_token"])).status_code == 200


@pytest.mark.bar("A26-26.1", "CHECK-18")
async def test_without_a_hint_the_person_is_asked(house: House) -> None:
    client = await client_of(house)

    asked = await leave(house, client_id=client.client_id, post_logout_redirect_uri=LEAVING, state="s")
    assert is_question(asked)
    assert "https://app.example" in asked.headers["content-security-policy"]
    assert await is_signed_in(house)
    forged = await house.http.post(
        "/oauth/logout/confirm", data={}, headers=house.cookie("ada"), follow_redirects=False
    )
    foreign = await house.http.post(
        "/oauth/logout/confirm", data={}, headers={**house.cookie("ada"), "Origin": "https://evil.example"}
    )
    assert (forged.status_code, foreign.status_code) == (403, 403)
    assert await is_signed_in(house)

    answer = await confirm(house, asked)

    assert (answer.status_code, answer.headers["location"]) == (303, f"{LEAVING}?state=s")
    assert not await is_signed_in(house)


@pytest.mark.bar("A26-26.1")
async def test_a_hint_for_somebody_else_asks(house: House) -> None:
    client = await client_of(house)
    of_bob = (await house.tokens(client, "bob"))["id_token"]

    asked = await leave(house, id_token_hint=of_bob, post_logout_redirect_uri=LEAVING)

    assert is_question(asked)
    assert await is_signed_in(house)
    assert await is_signed_in(house, "bob")


@pytest.mark.bar("A26-26.1", "CHECK-6")
async def test_what_is_wrong_is_shown_and_sent_nowhere(house: House) -> None:
    client, other = await client_of(house), await client_of(house)
    hint = (await house.tokens(client))["id_token"]
    access = (await house.tokens(client))["access_token"]
    back = {"post_logout_redirect_uri": LEAVING}

    for parameters in (
        {"id_token_hint": altered(hint), **back},
        {"id_token_hint": altered(hint), "client_id": client.client_id, **back},
        {"id_token_hint": "nonsense", **back},
        {"id_token_hint": access, **back},
        {"id_token_hint": hint, "client_id": other.client_id, **back},
        {"id_token_hint": hint, "post_logout_redirect_uri": f"{LEAVING}/"},
        {"id_token_hint": hint, "post_logout_redirect_uri": f"{LEAVING}?a=b"},
        {"id_token_hint": hint, "post_logout_redirect_uri": client.redirect_uri or ""},
        {"id_token_hint": hint, "post_logout_redirect_uri": "https://evil.example/"},
        {"id_token_hint": hint, "post_logout_redirect_uri": "javascript:alert(1)"},
        {"id_token_hint": hint, "state": "s" * 2_001, **back},
        {"client_id": "unknown", **back},
        back,
    ):
        answer = await leave(house, **parameters)
        assert (answer.status_code, "location" in answer.headers) == (400, False), parameters
        assert '="https://evil.example' not in answer.text
        assert '="javascript:' not in answer.text
    twice = await house.get(f"/oauth/logout?{urlencode(back)}&{urlencode(back)}")
    assert twice.status_code == 400
    assert await is_signed_in(house)

    gone = await confirm(house, twice)
    assert gone.status_code == 200
    assert not await is_signed_in(house)


@pytest.mark.bar("A26-26.1")
async def test_a_form_of_a_client_goes_on_with_the_cookie(house: House) -> None:
    client = await client_of(house)
    hint = (await house.tokens(client))["id_token"]
    fields = {"id_token_hint": hint, "post_logout_redirect_uri": LEAVING, "state": "s"}

    house.http.cookies.clear()
    sent_on = await house.http.post(
        "/oauth/logout",
        content=urlencode(fields),
        headers={**FORM, "Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"},
        follow_redirects=False,
    )
    assert sent_on.status_code == 303
    answer = await house.get(sent_on.headers["location"])

    assert answer.headers["location"] == f"{LEAVING}?state=s"
    assert not await is_signed_in(house)


@pytest.mark.bar("A26-26.1")
async def test_where_nobody_is_signed_in_there_is_nothing_to_ask(house: House) -> None:
    client = await client_of(house)
    hint = (await house.tokens(client))["id_token"]

    hinted = await leave(house, None, id_token_hint=hint, post_logout_redirect_uri=LEAVING)
    unhinted = await leave(house, None, client_id=client.client_id, post_logout_redirect_uri=LEAVING)

    assert (hinted.status_code, hinted.headers["location"]) == (303, LEAVING)
    assert (unhinted.status_code, "location" in unhinted.headers) == (200, False)
    assert f'href="{LEAVING}"' in unhinted.text
    assert await is_signed_in(house)


@pytest.mark.bar("A26-26.1")
async def test_the_question_speaks_the_language_that_was_asked_for(house: House) -> None:
    asked = await leave(house, ui_locales="xx de en")

    assert asked.headers["content-language"] == "de"


@pytest.mark.bar("A28-28.1")
async def test_frames_tell_clients_that_want_to_hear_from_the_browser(house: House) -> None:
    fronted = await house.client(
        frontchannel_logout_uri="https://app.example/front?x=1", frontchannel_logout_session_required=True
    )
    plain = await client_of(house)
    await house.tokens(fronted)
    hint = (await house.tokens(plain))["id_token"]

    answer = await leave(house, id_token_hint=hint, post_logout_redirect_uri=LEAVING)

    assert answer.status_code == 200
    assert answer.headers["refresh"] == f"2; url={LEAVING}"
    assert "frame-src https://app.example;" in answer.headers["content-security-policy"]
    [frame] = re.findall(r'<iframe src="([^"]+)"', answer.text)
    told_to = {"iss": "http://localhost:8000", "sid": claims_of(hint)["sid"]}
    assert html.unescape(frame) == f"https://app.example/front?x=1&{urlencode(told_to)}"
    assert not await is_signed_in(house)


@pytest.mark.bar("A28-28.1")
async def test_frames_are_for_those_who_were_let_in_from_this_session(house: House) -> None:
    """Front-Channel Logout 1.0, section 2; and who did not ask for `sid` hears none."""
    plain = await client_of(house)
    heard, other = [
        await house.client(frontchannel_logout_uri=f"https://app.example/{name}")
        for name in ("heard", "other")
    ]
    await house.tokens(heard)
    await house.tokens(other, "bob")
    hint = (await house.tokens(plain))["id_token"]

    answer = await leave(house, id_token_hint=hint, post_logout_redirect_uri=LEAVING)

    assert re.findall(r'<iframe src="([^"]+)"', answer.text) == ["https://app.example/heard"]
    assert await is_signed_in(house, "bob")


@pytest.mark.bar("A28-28.1")
async def test_no_frame_of_ours_is_offered_to_ask_whether_the_session_lasts(house: House) -> None:
    """Session Management 1.0 is left out: where foreign cookies are kept apart its frame would always say "changed"."""
    told = (await house.http.get("/.well-known/openid-configuration")).json()
    answer = await house.ask(await client_of(house))

    assert "check_session_iframe" not in told
    assert "session_state" not in answer.headers["location"]
