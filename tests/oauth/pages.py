"""A person at the pages of consent: reads them as text and fills their forms, without a script."""

import html
import re
from dataclasses import replace
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from portico.testing.organizations import HasId
from tests.oauth.kit import House, TestClient

_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_OPTION = re.compile(r'<option value="([^"]*)"( selected)?>([^<]*)</option>')
_NUMBERS = count(1)
_TAG = re.compile(r"<(script|style|template|svg)\b.*?</\1>|<[^>]+>", re.DOTALL)


def words_of(page: httpx2.Response) -> str:
    """Return what a person reads, in one line."""
    return " ".join(html.unescape(_TAG.sub(" ", page.text)).split())


def fields_of(page: httpx2.Response, action: str) -> dict[str, str]:
    """Return the hidden fields of the form that posts to `action`."""
    form = page.text.partition(f'action="{action}"')[2].partition("</form>")[0]
    assert form, page.text
    return {name: html.unescape(value) for name, value in _HIDDEN.findall(form)}


def options_of(page: httpx2.Response) -> dict[str, str]:
    """Return the choices of the page by their words."""
    return {html.unescape(words).strip(): value for value, _, words in _OPTION.findall(page.text)}


def chosen_of(page: httpx2.Response) -> str | None:
    """Return the words of the choice that is made already."""
    return next((html.unescape(words) for _, chosen, words in _OPTION.findall(page.text) if chosen), None)


async def consent_page(
    house: House, client: TestClient, person: str = "ada", **parameters: Any
) -> httpx2.Response:
    """Ask, and return the page that the person gets to see."""
    asked = await house.ask(client, person, **parameters)
    location = asked.headers.get("location", "")
    assert location.startswith("/oauth/consent?"), (asked.status_code, location, asked.text)
    return await house.get(location, person)


async def answer(
    house: House, page: httpx2.Response, person: str = "ada", *, action: str = "approve", **fields: str
) -> httpx2.Response:
    """Post the form of a page of consent."""
    given = {**fields_of(page, "/oauth/consent"), "action": action, **fields}
    house.http.cookies.clear()
    return await house.http.post(
        "/oauth/consent", data=given, headers=house.cookie(person), follow_redirects=False
    )


async def post(
    house: House, page: httpx2.Response, action: str, person: str = "ada", **fields: str
) -> httpx2.Response:
    """Post a form of a page of the account."""
    given = {**fields_of(page, action), **fields}
    house.http.cookies.clear()
    return await house.http.post(action, data=given, headers=house.cookie(person), follow_redirects=False)


def ticket_in(location: str) -> str:
    """Return the ticket of an address."""
    return parse_qs(urlsplit(location).query)["ticket"][0]


async def newcomer(house: House, *, superuser: bool = False) -> str:
    """Make somebody whom nobody else in a lasting house has met; return the name."""
    name = f"somebody{next(_NUMBERS)}"
    await house.person(name, superuser=superuser)
    return name


async def impersonated(house: House, actor: str, person: str) -> str:
    """Have the actor take the person's place at the pages; return under which name the house knows that browser."""
    acting, target = house.people[actor], house.people[person]
    started = await house.http.post(
        f"/api/v1/admin/users/{target.id}/impersonate",
        json={"reason": "help with a form", "transport": "page"},
        headers=acting.bearer,
    )
    assert started.status_code == 201, started.text
    name = f"{actor} as {person}"
    house.people[name] = replace(target, cookie=started.cookies["portico_session"])
    house.http.cookies.clear()
    return name


async def work_in(house: House, person: str, organization: HasId) -> None:
    """Have the person's browser work in an organization from now on."""
    page = await house.get("/account/organizations", person)
    path = "/account/organizations/switch"
    token = fields_of(page, path)["csrf_token"]
    switched = await house.http.post(
        path,
        data={"organization_id": str(organization.id), "csrf_token": token},
        headers=house.cookie(person),
        follow_redirects=False,
    )
    assert switched.status_code == 303, switched.text


async def sign_in_again(house: House, location: str, person: str) -> httpx2.Response:
    """Fill the sign-in page to which a redirect led somebody who is signed in; his browser keeps the new cookie."""
    entered = await house.sign_in(location, person)
    assert entered.status_code == 303, entered.text
    house.people[person] = replace(house.people[person], cookie=entered.cookies["portico_session"])
    house.http.cookies.clear()
    return entered
