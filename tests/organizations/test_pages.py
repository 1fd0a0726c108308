"""The pages of organizations work without JavaScript, and show nobody more than he may see."""

import html
import re
from typing import Any

import httpx2
import pytest

from portico.http.csrf import token_for
from portico.runtime import Runtime
from portico.testing.organizations import TestOrganization, TestOrganizations
from portico.users.types import Account
from tests.sessions.people import PAGE_COOKIE, PASSWORD, add_person, sign_in_by_page
from tests.web.browser import Page
from tests.web.test_structure import POLYGLOT, faults_of

# What the database decides is asked below the pages.
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_kind", ["sqlite"])]

HOME = "/account/organizations"


class Window:
    """A browser in which somebody is signed in."""

    def __init__(self, runtime: Runtime, client: httpx2.AsyncClient, account: Account, cookie: str) -> None:
        self._client, self._cookie, self.account = client, cookie, account
        self.id = account.id
        self._own = {
            "Cookie": f"{PAGE_COOKIE}={cookie}",
            "Origin": runtime.settings.public_url,
            "Sec-Fetch-Site": "same-origin",
            "Accept": "text/html",
        }
        self._token = token_for(runtime.secret, cookie)

    async def look(self, path: str) -> Page:
        """Open a page and read it as a browser does."""
        self._client.cookies.clear()
        answer = await self._client.get(path, headers=self._own)
        assert answer.status_code == 200, answer.text[:2_000]
        return Page.of(answer)

    async def open(self, path: str, expected: int = 200) -> str:
        self._client.cookies.clear()
        answer = await self._client.get(path, headers=self._own)
        assert answer.status_code == expected, answer.text[:2_000]
        return html.unescape(answer.text)

    async def post(self, path: str, expected: int = 303, **fields: Any) -> str:
        """Send a form; return where it leads, or the page with the refusal."""
        self._client.cookies.clear()
        data = {"csrf_token": self._token, **{name: str(value) for name, value in fields.items()}}
        answer = await self._client.post(path, data=data, headers=self._own)
        assert answer.status_code == expected, f"{answer.status_code} {answer.text[:2_000]}"
        return answer.headers.get("location") or html.unescape(answer.text)


@pytest.fixture
def window(runtime: Runtime, client: httpx2.AsyncClient) -> Any:
    """Open windows."""

    async def open_window(name: str) -> Window:
        account = await add_person(runtime, f"{name}@example.org", username=f"{name}.tests")
        return Window(runtime, client, account, await sign_in_by_page(runtime, account.email))

    return open_window


@pytest.fixture
async def ada(window: Any) -> Window:
    return await window("ada")  # type: ignore[no-any-return]


@pytest.fixture
async def bob(window: Any) -> Window:
    return await window("bob")  # type: ignore[no-any-return]


@pytest.fixture
async def acme(organizations: TestOrganizations, ada: Window) -> TestOrganization:
    return await organizations.make(ada, "Acme", slug="acme-works")


def home_of(organization: TestOrganization, rest: str = "") -> str:
    return f"{HOME}/{organization.id}{rest}"


async def test_make_and_work_there(ada: Window) -> None:
    there = await ada.post(HOME, name="Zoë & Söhne")

    assert "Zoë & Söhne" in await ada.open(there)
    assert "Active" in await ada.open(HOME)


async def test_form_keeps_what_was_typed(ada: Window, acme: TestOrganization) -> None:
    page = await ada.post(HOME, 409, name="Another", slug="acme-works")

    assert "This short name is taken" in page
    assert 'value="Another"' in page


async def test_members(
    ada: Window, bob: Window, acme: TestOrganization, organizations: TestOrganizations
) -> None:
    await organizations.join(acme, bob)
    assert "bob.tests" in await ada.open(home_of(acme))
    assert "bob.tests" not in await ada.open(home_of(acme) + "?q=ada")

    fields: dict[str, Any] = {"user_id": bob.id, "role_admin": 1, "role_viewer": 1}
    await ada.post(home_of(acme, "/members/roles"), **fields)
    assert "Administrator" in await bob.open(home_of(acme))
    assert "Choose at least one role" in await ada.post(home_of(acme, "/members/roles"), 422, user_id=bob.id)

    await ada.post(home_of(acme, "/members/remove"), user_id=bob.id)
    await bob.open(home_of(acme), 404)


async def test_an_invitation_leads_into_the_teams_that_are_ticked(
    ada: Window, bob: Window, acme: TestOrganization
) -> None:
    team = (await ada.post(home_of(acme, "/teams"), name="Mechanics")).rpartition("/")[2]
    path = home_of(acme, "/invitations")
    assert f'name="team_{team}"' in await ada.open(path)

    await ada.post(path, 404, email="x@example.org", role="viewer", team_nonsense=1)
    await ada.post(path, 404, email="x@example.org", role="viewer", **{f"team_{acme.id}": 1})
    await ada.post(path, 422, email="x@example.org", role="viewer", teams=team)
    await ada.post(path, email="bob@example.org", role="viewer", **{f"team_{team}": 1})

    assert "Mechanics" in (await ada.open(path)).partition('id="invitations"')[2]
    assert "Mechanics" in await bob.open("/invitations")


async def test_plain_member_sees_no_forms(
    ada: Window, bob: Window, acme: TestOrganization, organizations: TestOrganizations
) -> None:
    await organizations.join(acme, bob)

    pages = [await bob.open(home_of(acme, rest)) for rest in ("", "/teams", "/roles")]
    actions = {action for page in pages for action in re.findall(r'action="([^"]+)"', page)}
    assert {action for action in actions if "/account/organizations/" in action} == {home_of(acme)}
    settings = await bob.open(home_of(acme, "/settings"))
    assert re.findall(r'action="(/account/[^"]+)"', settings) == [home_of(acme, "/leave")]
    await bob.open(home_of(acme, "/activity"), 403)


async def test_outsiders_see_nothing(ada: Window, bob: Window, acme: TestOrganization) -> None:
    for rest in ("", "/teams", "/roles", "/settings", "/activity"):
        assert "Acme" not in await bob.open(home_of(acme, rest), 404)
    for rest in ("/leave", "/settings", "/rules", "/delete", "/transfer", "/members/remove"):
        assert "Acme" not in await bob.post(home_of(acme, rest), 404, user_id=ada.id)


async def test_roles(ada: Window, acme: TestOrganization) -> None:
    fields: dict[str, Any] = {"name": "Night watch", "may_organization:audit:read": 1}
    await ada.post(home_of(acme, "/roles"), **fields)

    page = await ada.open(home_of(acme, "/roles"))
    (role,) = re.findall(rf"{home_of(acme)}/roles/([0-9a-f-]{{36}})\"", page)
    assert "Read the trail" in page
    path = home_of(acme, f"/roles/{role}")
    fields = {"name": "Day watch", "may_organization:member:read": 1}
    await ada.post(path, **fields)
    assert "Day watch" in await ada.open(path)
    await ada.post(f"{path}/delete")
    await ada.open(path, 404)


async def test_teams(
    ada: Window, bob: Window, acme: TestOrganization, organizations: TestOrganizations
) -> None:
    await organizations.join(acme, bob)
    team = await ada.post(home_of(acme, "/teams"), name="Security", description="They watch")

    await ada.post(f"{team}/members", user_id=bob.id)
    await ada.post(f"{team}/roles", role_admin=1)
    assert "bob.tests" in await ada.open(team)
    await bob.open(home_of(acme, "/activity"))

    await ada.post(f"{team}/members/remove", user_id=bob.id)
    await bob.open(home_of(acme, "/activity"), 403)
    await ada.post(team, name="Guards")
    assert "Guards" in await ada.open(home_of(acme, "/teams"))
    await ada.post(f"{team}/delete")
    await ada.open(team, 404)


async def test_settings(ada: Window, acme: TestOrganization) -> None:
    await ada.post(home_of(acme, "/settings"), name="Acme Ltd", slug="acme-ltd")
    assert "Acme Ltd" in await ada.open(home_of(acme, "/settings"))
    locked_out = await ada.post(home_of(acme, "/rules"), 409, second_factor=1, max_session_age=0)
    assert "You have not signed in like that yourself" in locked_out
    await ada.post(home_of(acme, "/rules"), method_pwd=1, max_session_age=3_600)
    assert 'value="3600" selected' in await ada.open(home_of(acme, "/settings"))
    for refused in ({}, {"max_session_age": 299}, {"max_session_age": 0, "min_aal": 1}):
        await ada.post(home_of(acme, "/rules"), 422, **refused)
    assert 'value="3600" selected' in await ada.open(home_of(acme, "/settings"))


async def test_rules_that_only_the_api_can_make_outlive_the_form(ada: Window, acme: TestOrganization) -> None:
    """An age that the list does not offer is sent back as it stands, not taken for none."""
    await ada.post(home_of(acme, "/rules"), max_session_age=1_800)
    page = await ada.open(home_of(acme, "/settings"))
    assert 'value="1800" selected' in page
    await ada.post(home_of(acme, "/rules"), max_session_age=1_800, method_pwd=1)
    assert 'value="1800" selected' in await ada.open(home_of(acme, "/settings"))


async def test_activity(ada: Window, acme: TestOrganization) -> None:
    await ada.post(home_of(acme, "/settings"), name="Acme Ltd", slug="acme-works")

    page = await ada.open(home_of(acme, "/activity"))
    assert "Organization renamed" in page
    assert "Acme → Acme Ltd" in page


async def test_ways_out(
    ada: Window, bob: Window, acme: TestOrganization, organizations: TestOrganizations
) -> None:
    await organizations.join(acme, bob)
    assert "never without an owner" in await ada.post(home_of(acme, "/leave"), 409)

    wrong = await ada.post(home_of(acme, "/transfer"), 403, user_id=bob.id, password="wrong guess")
    assert "Acme" in wrong
    await ada.post(home_of(acme, "/transfer"), user_id=bob.id, password=PASSWORD)
    await ada.post(home_of(acme, "/delete"), 403, confirmation="acme-works", password=PASSWORD)

    unsure = await bob.post(home_of(acme, "/delete"), 422, confirmation="acme", password=PASSWORD)
    assert "This is not the short name" in unsure
    await bob.post(home_of(acme, "/delete"), confirmation="acme-works", password=PASSWORD)
    assert "Restore" in await bob.open(HOME)
    assert "Restore" not in await ada.open(HOME)
    await bob.post(f"{HOME}/restore", organization_id=acme.id)
    assert "Acme" in await bob.open(home_of(acme))
    await ada.post(home_of(acme, "/leave"))
    assert "no organization yet" in await ada.open(HOME)


async def test_switching(ada: Window, acme: TestOrganization, organizations: TestOrganizations) -> None:
    other = await organizations.make(ada, "Other")

    await ada.post(f"{HOME}/switch", organization_id=other.id)
    page = await ada.open(HOME)
    assert page.index("Other") < page.index("Active")
    assert "Active" not in page[page.index("Acme") : page.index("Other")]


@pytest.mark.bar("ASVS-1.2.1", "ASVS-3.2.2", "ASVS-3.6.1")
async def test_every_page_is_well_made_whatever_others_are_called(
    ada: Window, bob: Window, runtime: Runtime, organizations: TestOrganizations
) -> None:
    """Names, descriptions and what stands on the trail were typed by others, and stay text."""
    markup = POLYGLOT[:80]
    acme = await organizations.make(ada, f"A {markup}", slug="acme-works")
    await organizations.join(acme, bob)
    await ada.post("/account", full_name=markup, locale="en", timezone="UTC")
    team = await ada.post(home_of(acme, "/teams"), name=markup, description=POLYGLOT)
    await ada.post(f"{team}/members", user_id=ada.id)
    await ada.post(home_of(acme, "/roles"), name=markup, description=POLYGLOT)
    roles = await ada.open(home_of(acme, "/roles"))
    (role,) = re.findall(rf"{home_of(acme)}/roles/([0-9a-f-]{{36}})\"", roles)

    rests = ("", "/teams", "/roles", f"/roles/{role}", "/settings", "/activity", "?q=%3Cb%3E")
    for path in (HOME, team, *(home_of(acme, rest) for rest in rests)):
        page = await ada.look(path)
        assert list(faults_of(page)) == [], path
        assert "<img src=x" not in page.response.text
        assert "<sVg/" not in page.response.text
