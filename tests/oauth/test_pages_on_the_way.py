"""The pages between a client's question and its answer: how forms lead on, what frames and tells (rows 1.19, 1.20)."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest

from portico.oauth.types import ClientSource
from tests.oauth.kit import FORM, House
from tests.oauth.pages import answer, consent_page
from tests.sessions.people import PASSWORD

pytestmark = pytest.mark.anyio

REFERRERS = {"no-referrer", "same-origin"}
"""Neither names anything of ours to anybody else's server."""
LEAVING = "https://app.example/bye"
_ELSEWHERE = re.compile(r'(?:src|href|action)="(?:https?:)?//([^/"]+)')


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


@pytest.mark.bar("A1-1.19")
async def test_what_was_posted_is_never_posted_on(house: House) -> None:
    """Whatever form leads on does so by 303, also with a password in it (RFC 9700, section 4.12)."""
    client = await house.client(post_logout_redirect_uris=[LEAVING])
    away: dict[str, Any] = {"follow_redirects": False}
    waiting = await house.ask(client, None)
    entered = await house.sign_in(waiting.headers["location"], "ada")
    house.http.cookies.clear()
    denied = await answer(house, await consent_page(house, client, prompt="consent"), action="deny")
    approved = await answer(house, await consent_page(house, client, prompt="consent"))
    asked = await house.http.post(
        "/oauth/authorize", content=urlencode(house.request(client)), headers=FORM, **away
    )
    left = await house.http.post(
        "/oauth/logout", data={"client_id": client.client_id}, headers=house.cookie("ada"), **away
    )
    wrong = await house.http.post(
        "/login", data={"username": "ada@example.org", "password": PASSWORD + "!"}, **away
    )

    statuses = [each.status_code for each in (entered, denied, approved, asked, left)]
    assert statuses == [303] * 5
    assert not wrong.is_redirect


async def pages(house: House) -> Mapping[str, httpx2.Response]:
    """Return every page on which somebody signs in, answers, or is told of a refusal."""
    client = await house.client()
    stranger = await house.client(source=ClientSource.DYNAMIC)
    waiting = (await house.ask(client, None)).headers["location"]
    wrong = {"response_type": "token"}
    return {
        "sign-in": await house.get(waiting, None),
        "consent": await consent_page(house, client),
        "refused": await house.ask(client, redirect_uri="https://evil.example/"),
        "refused, with a link": await house.ask(stranger, None, **wrong),
        "over": await house.get("/oauth/resume?ticket=none"),
        "device": await house.get("/device"),
        "logout": await house.get("/oauth/logout"),
    }


@pytest.mark.bar("A1-1.20", "A1-1.23")
async def test_no_page_is_framed_or_tells_another_where_it_was(house: House) -> None:
    """RFC 9700, sections 4.2 and 4.16; nothing is loaded from elsewhere; links lead to clients alone."""
    for name, page in (await pages(house)).items():
        policy = page.headers["content-security-policy"]

        assert page.headers["content-type"].startswith("text/html"), name
        assert "frame-ancestors 'none'" in policy, name
        assert "default-src 'none'" in policy, name
        assert page.headers["x-frame-options"] == "DENY", name
        assert page.headers["referrer-policy"] in REFERRERS, name
        assert "no-store" in page.headers["cache-control"], name
        assert set(_ELSEWHERE.findall(page.text)) <= {"app.example", "localhost:8000"}, name


@pytest.mark.bar("A1-1.20")
@pytest.mark.parametrize("path", ["/oauth/consent", "/device"])
async def test_no_form_counts_without_the_token_of_its_page(house: House, path: str) -> None:
    given: dict[str, Any] = {"ticket": "x", "action": "approve", "user_code": "BBBBBBBB"}

    forged = await house.http.post(path, data=given, headers=house.cookie("ada"), follow_redirects=False)

    assert forged.status_code == 403
    assert urlsplit(str(forged.url)).path == path
