"""The page behind the link of an invitation: who sees what, and where each button leads."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from portico.core.settings import Settings
from portico.organizations.models import Invitation
from portico.organizations.resolving import Resolver
from portico.runtime import Runtime
from portico.sessions.models import Session
from tests.credentials.acts import trail, under
from tests.organizations.stage import BOB, Stage
from tests.organizations.test_domains import Zone
from tests.sessions.people import PASSWORD, add_person
from tests.web.browser import Browser, Page
from tests.web.test_structure import faults_of

pytestmark = pytest.mark.anyio

CAROL = "carol@example.org"
NEW = "paper clip orange thunder"


@pytest.fixture
def database_kind() -> str:
    """Name the database: pages know no SQL, and the services under them are tested on both."""
    return "sqlite"


@pytest.fixture
async def browser(app: FastAPI, settings: Settings) -> AsyncIterator[Browser]:
    """Return a browser that nobody has signed in with."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=settings.public_url) as client:
        yield Browser(client)


async def link(stage: Stage, email: str = BOB, **more: Any) -> str:
    """Invite somebody and return path and query of the link in the mail."""
    await stage.invite(email, **more)
    return f"/invitations?token={stage.token(email)}"


async def enter(browser: Browser, email: str, password: str = PASSWORD) -> Page:
    page = await browser.open("/login")
    return await browser.submit(page, "/login", username=email, password=password)


async def active_organization(runtime: Runtime) -> Any:
    """Return where the newest session works."""
    query = select(Session.active_organization_id).order_by(Session.created_at.desc(), Session.id.desc())
    async with runtime.reads() as session:
        return (await session.scalars(query)).first()


async def status_of(runtime: Runtime) -> tuple[bool, bool]:
    """Tell whether the only invitation was accepted, and declined."""
    async with runtime.reads() as session:
        row = (await session.scalars(select(Invitation))).one()
    return row.accepted_at is not None, row.declined_at is not None


async def test_a_stranger_signs_in_with_the_invitation_kept_and_accepts(
    stage: Stage, browser: Browser
) -> None:
    page = await browser.open(await link(stage, roles=["admin"]))
    [way_in] = [a.get("href") for a in page.root.all("a") if a.get("href").startswith("/login")]
    login = await browser.open(way_in)
    wrong = await browser.submit(login, "/login", username=BOB, password="wrong wrong wrong")
    offer = await browser.submit(wrong, "/login", username=BOB, password=PASSWORD)
    done = await browser.submit(offer, "/invitations/accept")

    assert [fault for each in (page, login, wrong, offer, done) for fault in faults_of(each)] == []
    assert page.heading == "Join Acme"
    assert stage.ada.address in page.words
    assert "Administrator" in page.words
    assert [form.get("action") for form in page.forms()] == []
    assert (offer.path, offer.heading) == ("/invitations", "Join Acme")
    assert "You have joined" in done.status_line()
    assert await stage.roles_of(stage.bob.id) == ["admin"]
    assert await active_organization(stage.runtime) == stage.acme.id


async def test_opening_the_link_changes_nothing_and_declining_does(stage: Stage, browser: Browser) -> None:
    path = await link(stage)
    await enter(browser, BOB)
    offer = await browser.open(path)
    before = await status_of(stage.runtime)
    done = await browser.submit(offer, "/invitations/decline")
    again = await browser.open(path)

    assert before == (False, False)
    assert "declined" in done.status_line()
    assert await status_of(stage.runtime) == (False, True)
    assert again.status == 410
    assert "over" in again.alert()


async def test_somebody_new_signs_up_and_is_in(stage: Stage, browser: Browser) -> None:
    page = await browser.open(await link(stage, CAROL))
    [sign_up] = [a.get("href") for a in page.root.all("a") if a.get("href").startswith("/signup")]
    form = await browser.open(sign_up)
    weak = await browser.submit(form, "/signup", password="password1")
    done = await browser.submit(weak, "/signup", password=NEW, full_name="Carol")

    assert [fault for each in (form, weak) for fault in faults_of(each)] == []
    assert "join Acme" in form.words
    assert CAROL in form.words
    assert CAROL in weak.words
    assert "you have joined" in done.status_line()
    assert await status_of(stage.runtime) == (True, False)
    assert await active_organization(stage.runtime) == stage.acme.id


async def test_sign_in_leads_to_sign_up_with_the_invitation(stage: Stage, browser: Browser) -> None:
    page = await browser.open(await link(stage, CAROL))
    [way_in] = [a.get("href") for a in page.root.all("a") if a.get("href").startswith("/login")]
    login = await browser.open(way_in)
    [sign_up] = [a.get("href") for a in login.root.all("a") if a.get("href").startswith("/signup")]
    form = await browser.open(sign_up)
    [back] = [a.get("href") for a in form.root.all("a") if a.get("href").startswith("/login")]

    assert CAROL in form.words
    assert stage.token(CAROL) in back


async def test_somebody_else_is_told_so(stage: Stage, browser: Browser) -> None:
    path = await link(stage, CAROL)
    await enter(browser, BOB)
    page = await browser.open(path)

    assert list(faults_of(page)) == []
    assert CAROL in page.words
    assert BOB in page.words
    assert [form.get("action") for form in page.forms()] == ["/logout"]
    answer = await browser.post(
        "/invitations/accept", {"token": stage.token(CAROL), "csrf_token": _csrf(page)}
    )
    assert answer.status_code == 403
    assert await status_of(stage.runtime) == (False, False)


async def test_an_unproven_address_is_to_be_confirmed_first(stage: Stage, browser: Browser) -> None:
    await add_person(stage.runtime, CAROL, verified=False)
    path = await link(stage, CAROL)
    await enter(browser, CAROL)
    page = await browser.open(path)
    mails = len(stage.mails.to(CAROL))
    await browser.submit(page, "/account/email/resend")

    assert list(faults_of(page)) == []
    assert "Confirm first" in page.words
    assert "/invitations/accept" not in [form.get("action") for form in page.forms()]
    assert len(stage.mails.to(CAROL)) == mails + 1


@pytest.mark.usefixtures("stage")
async def test_a_link_that_is_none_says_so(browser: Browser) -> None:
    for token in ("", "x", "poi_" + "A" * 49, "x" * 500):
        page = await browser.open(f"/invitations?token={token}")

        assert page.status == 400
        assert "not valid" in page.alert()


async def test_open_invitations_are_listed_without_a_link(stage: Stage, browser: Browser) -> None:
    await stage.invite()
    anonymous = await browser.open("/invitations")
    listed = await browser.submit(anonymous, "/login", username=BOB, password=PASSWORD)
    done = await browser.submit(listed, "/invitations/accept")
    empty = await browser.open("/invitations")

    assert [fault for each in (listed, empty) for fault in faults_of(each)] == []
    assert anonymous.path == "/login"
    assert "Acme" in listed.words
    assert "joined" in done.status_line()
    assert "Nobody has invited you" in empty.words
    assert await stage.roles_of(stage.bob.id) == ["member"]


@under(users={"registration": "closed"})
async def test_where_sign_up_is_closed_nobody_is_sent_there(stage: Stage, browser: Browser) -> None:
    page = await browser.open(await link(stage, CAROL))

    assert not [a for a in page.root.all("a") if a.get("href").startswith("/signup")]


async def test_the_page_speaks_german(stage: Stage, browser: Browser) -> None:
    browser.language = "de"
    page = await browser.open(await link(stage))

    assert page.heading == "Acme beitreten"
    assert "lädt Sie ein" in page.words


async def test_a_page_with_a_secret_in_its_address_sends_no_referrer(stage: Stage, browser: Browser) -> None:
    answer = await browser.get(await link(stage))

    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


def _csrf(page: Page) -> str:
    return next(each.get("value") for each in page.root.all("input") if each.get("name") == "csrf_token")


async def test_an_administrator_invites_sends_again_and_withdraws(stage: Stage, browser: Browser) -> None:
    await enter(browser, stage.ada.address)
    base = f"/account/organizations/{stage.acme.id}/invitations"
    page = await browser.open(base)
    wrong = await browser.submit(page, base, email="nonsense")
    sent = await browser.submit(wrong, base, email=CAROL, role="admin")
    again = await browser.submit(sent, f"{base}/resend")
    withdrawn = await browser.submit(again, f"{base}/revoke")

    assert [fault for each in (page, wrong, sent, withdrawn) for fault in faults_of(each)] == []
    assert page.heading == "Acme"
    assert wrong.status == 422
    assert CAROL in sent.words
    assert "Administrator" in sent.words
    assert "on its way again" in again.status_line()
    assert len(stage.mails.to(CAROL)) == 2
    assert "withdrawn" in withdrawn.status_line()
    assert "Withdrawn" in withdrawn.words


async def test_an_administrator_proves_a_domain_and_lets_people_join(stage: Stage, browser: Browser) -> None:
    zone = Zone()
    stage.runtime.provide(Resolver, zone)
    await enter(browser, stage.ada.address)
    base = f"/account/organizations/{stage.acme.id}/domains"
    page = await browser.open(base)
    refused = await browser.submit(page, base, domain="gmail.com")
    added = await browser.submit(refused, base, domain="acme.example.com")
    early = await browser.submit(added, f"{base}/verify")
    name, value = [code.words for code in early.root.all("code") if "portico" in code.words]
    zone.records[name] = [value]
    verified = await browser.submit(early, f"{base}/verify")
    joining = await browser.submit(verified, f"{base}/joining", role="viewer")
    stopped = await browser.submit(joining, f"{base}/joining", role="-")
    removed = await browser.submit(stopped, f"{base}/remove")

    assert [fault for each in (page, refused, early, verified, removed) for fault in faults_of(each)] == []
    assert (refused.status, early.status) == (422, 409)
    assert "not in DNS yet" in early.alert()
    assert "verified" in verified.status_line()
    assert "changed" in joining.status_line()
    assert "acme.example.com" not in removed.words
    actions = [entry[0] for entry in await trail(stage.runtime) if entry[0] == "domain.updated"]
    assert len(actions) == 2
