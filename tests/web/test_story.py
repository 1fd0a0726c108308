"""The whole story of a person at the pages, form by form."""

from datetime import timedelta
from typing import Any

import pytest

from portico.runtime import Runtime
from portico.sessions.services import Sessions
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails
from portico.users.addresses import parse_address
from portico.users.services import UserLifecycle, Users
from tests.web.browser import Browser, fields_of
from tests.web.people import (
    ADA,
    CHEAP,
    OTHER_PASSWORD,
    PASSWORD,
    answer_to_sign_in,
    link_in,
    sign_in,
    sign_out,
    sign_up,
)

pytestmark = pytest.mark.anyio


def under(**settings: dict[str, Any]) -> pytest.MarkDecorator:
    both = {"credentials": CHEAP, **settings}
    return pytest.mark.parametrize("settings_overrides", [both], ids=[""])


async def test_signing_up_leads_into_the_account(browser: Browser) -> None:
    page = await sign_up(browser)

    assert (page.path, page.heading) == ("/account", "Profile")
    assert "Welcome!" in page.status_line()
    assert "Ada Lovelace" in page.words


async def test_the_link_of_the_mail_confirms_with_one_click_where_one_is_signed_in(
    browser: Browser, mails: CapturedMails
) -> None:
    await sign_up(browser)

    page = await browser.open(link_in(mails, "/verify"))
    assert ADA in page.words
    page = await browser.submit(page, "/verify")

    assert page.status_line() == "Your address is confirmed."
    assert "Not confirmed" not in page.words


async def test_signing_out_closes_the_account_page(browser: Browser) -> None:
    await sign_up(browser)

    page = await sign_out(browser)

    assert page.status_line() == "You are signed out."
    assert (await browser.open("/account")).path == "/login"


async def test_signing_in_leads_to_where_one_wanted_to_go(browser: Browser) -> None:
    await sign_up(browser)
    await sign_out(browser)

    page = await browser.open("/account/devices")
    assert page.path == "/login"
    page = await browser.submit(page, "/login", username=ADA, password=PASSWORD)

    assert page.path == "/account/devices"


@pytest.mark.bar("ASVS-3.7.2", "R2")
@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "/%5cevil.example", "/..;/x"])
async def test_signing_in_leads_nowhere_else(browser: Browser, target: str) -> None:
    await sign_up(browser)
    await sign_out(browser)

    form = {"username": ADA, "password": PASSWORD, "next": target}
    answer = await browser.post("/login", form)
    signed_in = await browser.get(f"/login?next={target}")

    assert answer.headers["location"] == "/account"
    assert signed_in.headers["location"] == "/account"


async def test_a_wrong_password_keeps_the_name_and_not_the_password(browser: Browser) -> None:
    await sign_up(browser)
    await sign_out(browser)

    page = await sign_in(browser, password="not my password")

    assert page.status == 401
    assert page.alert() == "The name or the password is wrong"
    assert 'value="ada@example.com"' in page.response.text
    assert "not my password" not in page.response.text


@pytest.mark.bar("CHECK-15")
async def test_a_stranger_and_a_wrong_password_get_the_same_page(browser: Browser) -> None:
    await sign_up(browser, "a@example.com")
    await sign_out(browser)

    known = await sign_in(browser, "a@example.com", "wrong password")
    unknown = await sign_in(browser, "b@example.com", "wrong password")

    assert known.status == unknown.status == 401
    assert (known.skeleton, known.alert()) == (unknown.skeleton, unknown.alert())


async def test_a_taken_address_is_told_at_its_field(browser: Browser, other_browser: Browser) -> None:
    await sign_up(browser)

    page = await sign_up(other_browser)

    assert page.status == 409
    field = next(each for each in page.root.all("input") if each.get("id") == "email")
    assert field.get("aria-invalid") == "true"
    assert "This e-mail address is already in use" in page.alert()


async def test_a_weak_password_is_refused_with_all_reasons(browser: Browser) -> None:
    page = await sign_up(browser, password="portico")

    assert page.status == 400
    assert "Use at least 8 characters." in page.alert()
    assert "portico" not in [each.get("value") for each in page.root.all("input")]


@under(users={"registration": "closed"})
async def test_there_is_no_form_where_sign_up_is_closed(browser: Browser) -> None:
    page = await browser.open("/signup")

    assert page.heading == "Sign-up is closed"
    assert page.forms() == []
    assert "/signup" not in (await browser.open("/login")).response.text


@under(users={"registration": "closed"})
async def test_a_form_sent_where_sign_up_is_closed_is_refused(browser: Browser) -> None:
    answer = await browser.post("/signup", {"email": ADA, "password": PASSWORD})

    assert answer.status_code == 403


@under(users={"registration": "invite"})
async def test_the_invitation_of_a_link_stands_in_the_form(browser: Browser) -> None:
    page = await browser.open("/signup?invitation=ptr_abc")
    page = await browser.submit(page, "/signup", email=ADA, password=PASSWORD)

    assert page.status == 400
    assert "This invitation is not valid" in page.alert()
    assert 'value="ptr_abc"' in page.response.text


async def test_the_profile_is_changed_and_speaks_the_chosen_language(browser: Browser) -> None:
    page = await sign_up(browser)

    page = await browser.submit(
        page, "/account", full_name="Ada King", username="ada", locale="de", timezone="Europe/London"
    )

    assert page.root.all("html")[0].get("lang") == "de"
    assert "Ada King" in page.words
    assert (await browser.open("/account/devices")).root.all("html")[0].get("lang") == "de"


async def test_a_name_left_empty_is_taken_away(browser: Browser) -> None:
    page = await sign_up(browser)
    page = await browser.submit(page, "/account", username="ada")

    page = await browser.submit(page, "/account", username="", full_name="")

    assert 'value="ada"' not in page.response.text
    assert "Ada Lovelace" not in page.response.text


async def test_a_refused_profile_keeps_what_was_typed(browser: Browser) -> None:
    page = await sign_up(browser)

    page = await browser.submit(page, "/account", full_name="Countess", username="-")

    assert page.status == 422
    assert 'value="Countess"' in page.response.text
    assert 'value="-"' in page.response.text


async def test_a_new_address_is_taken_once_it_is_confirmed(browser: Browser, mails: CapturedMails) -> None:
    page = await sign_up(browser)

    page = await browser.submit(page, "/account/email", email="countess@example.com", password=PASSWORD)
    assert "Confirm it there." in page.status_line()
    assert ADA in page.words
    page = await browser.open(link_in(mails, "/verify", to="countess@example.com"))
    page = await browser.submit(page, "/verify")

    assert "countess@example.com" in page.words
    assert ADA not in page.words


async def test_a_new_address_needs_the_password(browser: Browser, mails: CapturedMails) -> None:
    page = await sign_up(browser)

    page = await browser.submit(page, "/account/email", email="countess@example.com", password="wrong one")

    assert page.status == 403
    assert page.alert() == "The password is wrong"
    field = next(each for each in page.root.all("input") if each.get("name") == "password")
    assert (field.get("aria-invalid"), field.get("aria-describedby")) == ("true", "password-fault")
    assert mails.to("countess@example.com") == []


async def test_the_confirmation_can_be_sent_again(
    browser: Browser, mails: CapturedMails, clock: FrozenClock
) -> None:
    page = await sign_up(browser)
    clock.advance(timedelta(minutes=2))

    page = await browser.submit(page, "/account/email/resend")

    assert "on its way" in page.status_line()
    assert len(mails.to(ADA)) == 2


async def test_the_devices_are_listed_this_one_first(browser: Browser, other_browser: Browser) -> None:
    await sign_up(browser)
    await sign_in(other_browser)

    page = await browser.open("/account/devices")

    rows = [each.words for each in page.root.all("li") if each.within("main")]
    assert len(rows) == 2
    assert "This device" in rows[0]
    assert "This device" not in rows[1]


async def test_another_device_is_signed_out_at_once(browser: Browser, other_browser: Browser) -> None:
    await sign_up(browser)
    await sign_in(other_browser)
    page = await browser.open("/account/devices")

    page = await browser.submit(page, "/account/devices/end")

    assert page.status_line() == "The device is signed out."
    assert (await other_browser.open("/account")).path == "/login"
    assert (await browser.open("/account")).path == "/account"


async def test_all_other_devices_are_signed_out_at_once(browser: Browser, other_browser: Browser) -> None:
    await sign_up(browser)
    await sign_in(other_browser)
    page = await browser.open("/account/devices")

    await browser.submit(page, "/account/devices/end-others")

    assert (await other_browser.open("/account")).path == "/login"
    assert (await browser.open("/account")).path == "/account"


async def test_the_device_of_somebody_else_is_not_there(
    browser: Browser, other_browser: Browser, runtime: Runtime
) -> None:
    await sign_up(browser)
    await sign_up(other_browser, "eve@example.com")
    eve = await Users(runtime, runtime.unit()).find_by_identifier("eve@example.com")
    assert eve is not None
    (session,) = await Sessions(runtime, runtime.unit()).list_sessions(eve.id)
    token = fields_of((await browser.open("/account")).form("/logout"))

    answer = await browser.post("/account/devices/end", {**token, "session_id": str(session.id)})

    assert answer.status_code == 404
    assert (await other_browser.open("/account")).path == "/account"


async def test_a_changed_password_ends_the_other_devices(browser: Browser, other_browser: Browser) -> None:
    await sign_up(browser)
    await sign_in(other_browser)
    page = await browser.open("/account/password")

    page = await browser.submit(
        page, "/account/password", current_password=PASSWORD, new_password=OTHER_PASSWORD
    )

    assert "Your password is changed." in page.status_line()
    assert (await other_browser.open("/account")).path == "/login"
    assert (await answer_to_sign_in(other_browser, password=PASSWORD)).status_code == 401
    assert (await answer_to_sign_in(other_browser, password=OTHER_PASSWORD)).status_code == 303


async def test_a_forgotten_password_is_replaced_by_the_link(
    browser: Browser, other_browser: Browser, mails: CapturedMails
) -> None:
    await sign_up(browser)
    page = await other_browser.open("/forgot")
    page = await other_browser.submit(page, "/forgot", email=ADA)
    assert page.heading == "Check your mail"

    page = await other_browser.open(link_in(mails, "/reset"))
    page = await other_browser.submit(page, "/reset", new_password=OTHER_PASSWORD)

    assert page.path == "/login"
    assert (await browser.open("/account")).path == "/login"
    assert (await answer_to_sign_in(browser, password=PASSWORD)).status_code == 401
    assert (await answer_to_sign_in(browser, password=OTHER_PASSWORD)).status_code == 303


async def test_a_forgotten_password_is_replaced_by_the_code(browser: Browser, mails: CapturedMails) -> None:
    await sign_up(browser)
    await sign_out(browser)
    await browser.submit(await browser.open("/forgot"), "/forgot", email=ADA)
    code = mails.last(to=ADA).code

    page = await browser.open("/reset")
    page = await browser.submit(page, "/reset", email=ADA, code=code or "", new_password=OTHER_PASSWORD)

    assert page.path == "/login"
    assert (await answer_to_sign_in(browser, password=OTHER_PASSWORD)).status_code == 303


async def test_a_used_link_offers_a_new_one(browser: Browser, mails: CapturedMails) -> None:
    await sign_up(browser)
    await sign_out(browser)
    await browser.submit(await browser.open("/forgot"), "/forgot", email=ADA)
    link = link_in(mails, "/reset")
    await browser.submit(await browser.open(link), "/reset", new_password=OTHER_PASSWORD)

    page = await browser.open(link)

    assert page.status == 410
    assert page.form("/forgot").get("method") == "post"


@pytest.mark.bar("CHECK-15")
async def test_asking_for_a_link_tells_nobody_whether_the_address_is_known(browser: Browser) -> None:
    await sign_up(browser)
    await sign_out(browser)
    page = await browser.open("/forgot")

    known = await browser.submit(page, "/forgot", email="ada@example.com")
    unknown = await browser.submit(page, "/forgot", email="eve@example.com")

    assert known.status == unknown.status == 200
    assert (
        known.response.text.replace("ada@", "").split("nonce")[0]
        == (unknown.response.text.replace("eve@", "").split("nonce")[0])
    )
    assert known.words.replace("ada@", "eve@") == unknown.words


@pytest.mark.bar("CHECK-15")
@under(users={"email_verification": "required"})
async def test_signing_up_tells_nobody_whether_the_address_is_taken(
    browser: Browser, other_browser: Browser
) -> None:
    fresh = await sign_up(browser)
    taken = await sign_up(other_browser)

    assert fresh.status == taken.status == 200
    assert fresh.words == taken.words
    assert fresh.skeleton == taken.skeleton
    assert "set-cookie" not in fresh.response.headers
    assert "set-cookie" not in taken.response.headers


@under(users={"email_verification": "required"})
async def test_an_unproven_address_is_told_after_the_right_password_only(browser: Browser) -> None:
    await sign_up(browser)

    right = await sign_in(browser)
    wrong = await sign_in(browser, password="wrong password")

    assert (right.status, wrong.status) == (403, 401)
    assert right.alert() == "Confirm your e-mail address first"
    assert 'href="/verify"' in right.response.text
    assert 'href="/verify"' not in wrong.response.text


async def test_one_takes_ones_data_along(browser: Browser) -> None:
    await sign_up(browser)
    page = await browser.open("/account/data")

    answer = await browser.send(page, "/account/data/export")

    assert answer.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    assert answer.json()["profile"]["full_name"] == "Ada Lovelace"


async def test_an_account_is_closed_with_the_password(browser: Browser) -> None:
    await sign_up(browser)
    page = await browser.open("/account/data")

    page = await browser.submit(page, "/account/data/delete", password=PASSWORD)

    assert page.path == "/login"
    assert "closed" in page.status_line()
    assert (await browser.open("/account")).path == "/login"
    assert (await answer_to_sign_in(browser)).status_code == 401


async def test_an_account_is_not_closed_with_a_wrong_password(browser: Browser) -> None:
    await sign_up(browser)
    page = await browser.open("/account/data")

    page = await browser.submit(page, "/account/data/delete", password="wrong password")

    assert page.status == 403
    assert page.alert() == "The password is wrong"
    assert (await browser.open("/account")).path == "/account"


async def test_somebody_who_was_switched_off_is_told_so_after_the_password(
    browser: Browser, runtime: Runtime
) -> None:
    await sign_up(browser)
    account = await Users(runtime, runtime.unit()).find_by_email(parse_address(ADA))
    assert account is not None
    await UserLifecycle(runtime, runtime.unit()).deactivate_user(account.id)

    assert (await browser.open("/account")).path == "/login"
    page = await sign_in(browser)

    assert page.status == 403
    assert page.alert() == "This account is switched off"


@under(rate_limit={"enabled": True, "sign_in": "3/minute"})
async def test_too_many_tries_get_a_page_that_says_so(browser: Browser) -> None:
    for _ in range(3):
        await browser.post("/login", {"username": ADA, "password": "wrong"})

    answer = await browser.post("/login", {"username": ADA, "password": "wrong"})

    assert answer.status_code == 429
    assert "text/html" in answer.headers["content-type"]
    assert int(answer.headers["retry-after"]) > 0


async def test_the_front_page_leads_to_the_account(browser: Browser) -> None:
    await sign_up(browser)

    assert (await browser.open("/")).path == "/account"
