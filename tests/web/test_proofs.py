"""The page behind the link of a mail: who may go on, and what becomes of what a stranger set (check 10)."""

from datetime import timedelta
from typing import Any

import pytest

from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails
from portico.users.services import Users
from portico.users.types import Account
from tests.web.browser import Browser
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

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.bar("CHECK-10"),
]


@pytest.fixture(params=["optional", "required"])
def settings_overrides(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"credentials": CHEAP, "users": {"email_verification": request.param, "unasked_mails": "9/minute"}}


async def account_of(runtime: Runtime, address: str = ADA) -> Account:
    account = await Users(runtime, runtime.unit()).find_by_identifier(address)
    assert account is not None
    return account


async def test_a_click_alone_proves_nothing_for_a_stranger(
    browser: Browser, other_browser: Browser, mails: CapturedMails, runtime: Runtime
) -> None:
    await sign_up(browser)
    page = await other_browser.open(link_in(mails, "/verify"))

    page = await other_browser.submit(page, "/verify", having="password")

    assert page.status == 422
    assert not (await account_of(runtime)).email_verified


async def test_the_password_of_the_sign_up_proves_and_signs_in(
    browser: Browser, other_browser: Browser, mails: CapturedMails
) -> None:
    await sign_up(browser)
    page = await other_browser.open(link_in(mails, "/verify"))

    page = await other_browser.submit(page, "/verify", having="password", password=PASSWORD)

    assert page.path == "/account"
    assert page.status_line() == "Your address is confirmed."


async def test_a_wrong_password_proves_nothing_and_the_link_stays_good(
    browser: Browser, other_browser: Browser, mails: CapturedMails, runtime: Runtime
) -> None:
    await sign_up(browser)
    page = await other_browser.open(link_in(mails, "/verify"))

    page = await other_browser.submit(page, "/verify", having="password", password="not this one")
    assert page.status == 401
    assert not (await account_of(runtime)).email_verified
    page = await other_browser.submit(page, "/verify", having="password", password=PASSWORD)

    assert page.path == "/account"


async def test_a_new_password_takes_the_account_from_whoever_signed_up(
    browser: Browser, other_browser: Browser, mails: CapturedMails
) -> None:
    """Pre-hijacking: Mallory signs up with Ada's address and waits; Ada opens the link and knows no password."""
    await sign_up(browser, full_name="Mallory")
    page = await other_browser.open(link_in(mails, "/verify"))

    page = await other_browser.submit(page, "/verify", having="new_password", new_password=OTHER_PASSWORD)

    assert page.path == "/account"
    assert "Mallory" not in page.words
    assert (await browser.open("/account")).path == "/login"
    assert (await answer_to_sign_in(browser, password=PASSWORD)).status_code == 401


async def test_a_refused_new_password_leaves_the_link_good(
    browser: Browser, other_browser: Browser, mails: CapturedMails
) -> None:
    await sign_up(browser)
    page = await other_browser.open(link_in(mails, "/verify"))

    page = await other_browser.submit(page, "/verify", having="new_password", new_password="12345678")
    assert page.status == 400
    page = await other_browser.submit(page, "/verify", having="new_password", new_password=OTHER_PASSWORD)

    assert page.path == "/account"


async def test_the_link_of_a_second_sign_up_asks_even_the_one_who_is_signed_in(
    browser: Browser, other_browser: Browser, mails: CapturedMails, runtime: Runtime
) -> None:
    """Ada has signed up; Mallory signs up with the same address, so that Ada may confirm his password by a click."""
    await sign_up(browser)
    if (await browser.open("/account")).path == "/login":
        return  # where proof is required nobody is signed in before it
    mails.clear()
    await sign_up(other_browser, password=OTHER_PASSWORD)

    page = await browser.open(link_in(mails, "/verify"))
    page = await browser.submit(page, "/verify", having="password")

    assert page.status == 422
    assert not (await account_of(runtime)).email_verified
    assert (await browser.open("/account")).path == "/account"


async def test_the_link_of_a_second_sign_up_goes_with_the_password_of_that_one(
    browser: Browser, other_browser: Browser, mails: CapturedMails
) -> None:
    await sign_up(browser, full_name="Mallory")
    mails.clear()
    await sign_up(other_browser, password=OTHER_PASSWORD, full_name="Ada")

    page = await other_browser.open(link_in(mails, "/verify"))
    page = await other_browser.submit(page, "/verify", having="password", password=OTHER_PASSWORD)

    assert page.path == "/account"
    assert "Mallory" not in page.words
    assert (await browser.open("/account")).path == "/login"
    assert (await answer_to_sign_in(browser, password=PASSWORD)).status_code == 401


async def test_the_code_goes_with_the_password(
    browser: Browser, other_browser: Browser, mails: CapturedMails, runtime: Runtime
) -> None:
    await sign_up(browser)
    code = mails.last(to=ADA).code or ""
    page = await other_browser.open("/verify")

    refused = await other_browser.submit(page, "/verify", email=ADA, code=code, password="wrong password")
    assert refused.status == 401
    assert not (await account_of(runtime)).email_verified
    page = await other_browser.submit(page, "/verify", email=ADA, code=code, password=PASSWORD)

    assert page.path == "/account"
    assert (await account_of(runtime)).email_verified


@pytest.mark.bar("ASVS-6.6.3")
async def test_a_code_is_void_after_five_wrong_ones(
    browser: Browser, other_browser: Browser, mails: CapturedMails, runtime: Runtime
) -> None:
    await sign_up(browser)
    code = mails.last(to=ADA).code or ""
    wrong = f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"
    page = await other_browser.open("/verify")
    for _ in range(5):
        refused = await other_browser.submit(page, "/verify", email=ADA, code=wrong, password=PASSWORD)
        assert refused.status == 400

    refused = await other_browser.submit(page, "/verify", email=ADA, code=code, password=PASSWORD)

    assert refused.status == 400
    assert not (await account_of(runtime)).email_verified


async def test_the_link_of_a_new_address_offers_no_new_password(
    browser: Browser, other_browser: Browser, mails: CapturedMails, runtime: Runtime
) -> None:
    """A mistyped address is somebody else's: he may not take the account by the link that he gets."""
    await sign_up(browser)
    page = await browser.open(link_in(mails, "/verify"))
    having = None if (await browser.open("/account")).path == "/account" else "password"
    typed = {} if having is None else {"password": PASSWORD}
    page = await browser.submit(page, "/verify", having, **typed)
    await browser.submit(page, "/account/email", email="stranger@example.com", password=PASSWORD)
    link = link_in(mails, "/verify", to="stranger@example.com")

    page = await other_browser.open(link)
    assert 'name="new_password"' not in page.response.text
    token = link.partition("token=")[2]
    answer = await other_browser.post("/verify", {"token": token, "new_password": OTHER_PASSWORD})

    assert answer.status_code == 422
    assert (await account_of(runtime)).email == ADA


async def test_a_resent_message_is_promised_to_everybody(
    browser: Browser, mails: CapturedMails, clock: FrozenClock
) -> None:
    await sign_up(browser)
    if (await browser.open("/account")).path == "/account":
        await sign_out(browser)
    clock.advance(timedelta(minutes=2))
    mails.clear()
    page = await browser.open("/verify")

    known = await browser.submit(page, "/verify/resend", email=ADA)
    unknown = await browser.submit(page, "/verify/resend", email="eve@example.com")

    assert known.words == unknown.words
    assert [mail.to for mail in mails] == [ADA]


async def test_somebody_who_was_let_in_by_the_link_can_sign_in(
    browser: Browser, other_browser: Browser, mails: CapturedMails
) -> None:
    await sign_up(browser)
    page = await other_browser.open(link_in(mails, "/verify"))
    await other_browser.submit(page, "/verify", having="password", password=PASSWORD)
    await sign_out(other_browser)

    assert (await sign_in(other_browser)).path == "/account"
