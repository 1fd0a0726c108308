"""The cookies that pages set, and when the session gets a new one."""

from http.cookies import SimpleCookie
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from portico.core.settings import Settings
from portico.testing.mail import CapturedMails
from tests.web.browser import Browser
from tests.web.people import (
    ADA,
    CHEAP,
    OTHER_PASSWORD,
    PASSWORD,
    answer_to_sign_in,
    sign_in,
    sign_out,
    sign_up,
)

pytestmark = pytest.mark.anyio

SESSION = "portico_session"
ON_TLS = pytest.mark.parametrize(
    "settings_overrides", [{"credentials": CHEAP, "public_url": "https://id.example"}], ids=[""]
)


def cookies_of(answer: httpx2.Response) -> dict[str, Any]:
    """Return what an answer sets, by name."""
    found: dict[str, Any] = {}
    for header in answer.headers.get_list("set-cookie"):
        found |= SimpleCookie(header)
    return found


@pytest.mark.bar(
    "ASVS-3.3.1", "ASVS-3.3.2", "ASVS-3.3.3", "ASVS-3.3.4", "ASVS-3.3.5", "CVE-2024-28197", "CHECK-21"
)
@ON_TLS
async def test_every_cookie_is_locked_to_this_host(browser: Browser) -> None:
    await sign_up(browser)
    await browser.open("/account?lang=de")
    account = await browser.open("/account")
    answers = [await browser.send(account, "/logout"), await answer_to_sign_in(browser)]
    answers.append(await browser.get("/login?lang=en"))
    cookies = {name: cookie for answer in answers for name, cookie in cookies_of(answer).items()}

    assert {"__Host-portico_session", "__Host-portico_device", "__Host-portico_flash"} <= cookies.keys()
    for name, cookie in cookies.items():
        assert cookie["secure"], name
        assert cookie["httponly"], name
        assert cookie["samesite"].lower() == "lax", name
        assert cookie["path"] == "/", name
        assert cookie["domain"] == "", name
        assert len(cookie.OutputString()) < 4096, name
        assert name.startswith("__Host-") or name == "portico_language", name


@pytest.mark.bar("ASVS-3.3.4")
async def test_the_session_is_in_the_cookie_and_nowhere_else(browser: Browser) -> None:
    await sign_up(browser)
    value = browser.client.cookies[SESSION]

    for path in ("/account", "/account/devices", "/account/data"):
        assert value not in (await browser.open(path)).response.text


@pytest.mark.bar("ASVS-7.2.4", "CVE-2024-28197", "CHECK-21")
async def test_a_session_that_somebody_planted_is_not_taken_over(
    browser: Browser, settings: Settings
) -> None:
    await sign_up(browser)
    await sign_out(browser)
    planted = "A" * 43
    browser.client.cookies.set(SESSION, planted, domain="localhost.local", path="/")

    await sign_in(browser)

    values = [cookie.value for cookie in browser.client.cookies.jar if cookie.name == SESSION]
    assert planted not in values
    assert await _path_with(browser, planted) == "/login"


@pytest.mark.bar("ASVS-7.2.4", "CHECK-21")
async def test_signing_in_again_replaces_the_session(browser: Browser) -> None:
    await sign_up(browser)
    first = browser.client.cookies[SESSION]
    token = (await browser.open("/account")).form("/logout").all("input")[0].get("value")

    answer = await browser.post("/login", {"username": ADA, "password": PASSWORD, "csrf_token": token})

    assert answer.status_code == 303
    assert cookies_of(answer)[SESSION].value != first
    assert await _path_with(browser, first) == "/login"


@pytest.mark.bar("ASVS-7.2.4", "CHECK-21")
async def test_a_new_password_gives_a_new_session_cookie(browser: Browser) -> None:
    await sign_up(browser)
    first = browser.client.cookies[SESSION]
    page = await browser.open("/account/password")

    await browser.submit(page, "/account/password", current_password=PASSWORD, new_password=OTHER_PASSWORD)

    assert browser.client.cookies[SESSION] != first
    assert await _path_with(browser, first) == "/login"
    assert (await browser.open("/account")).path == "/account"


@pytest.mark.bar("ASVS-7.4.1", "ASVS-7.4.4", "ASVS-14.3.1")
async def test_signing_out_ends_the_session_and_clears_the_browser(browser: Browser) -> None:
    await sign_up(browser)
    value = browser.client.cookies[SESSION]
    page = await browser.open("/account")

    answer = await browser.send(page, "/logout")

    assert "storage" in answer.headers["clear-site-data"]
    assert cookies_of(answer)[SESSION].value == ""
    assert await _path_with(browser, value) == "/login"


@pytest.mark.bar("R12")
async def test_no_credential_is_posted_on(browser: Browser, mails: CapturedMails) -> None:
    """Each answer to a form with a password is a page or a 303, which browsers follow by GET without the form."""
    await sign_up(browser)
    account = await browser.open("/account/password")
    answers = [
        await browser.send(
            account, "/account/password", current_password=PASSWORD, new_password=OTHER_PASSWORD
        ),
        await browser.send(await browser.open("/account"), "/logout"),
        await answer_to_sign_in(browser, password=OTHER_PASSWORD),
    ]

    assert [answer.status_code for answer in answers] == [303, 303, 303]


async def test_two_session_cookies_are_believed_neither(browser: Browser, app: FastAPI) -> None:
    await sign_up(browser)
    value = browser.client.cookies[SESSION]
    browser.client.cookies.clear()

    answer = await browser.get("/account", Cookie=f"{SESSION}={value}; {SESSION}={'B' * 43}")

    assert answer.headers["location"].startswith("/login")


async def _path_with(browser: Browser, value: str) -> str:
    """Return where the account page leads a browser that has only this session cookie."""
    kept = list(browser.client.cookies.jar)
    browser.client.cookies.clear()
    answer = await browser.get("/account", Cookie=f"{SESSION}={value}")
    for cookie in kept:
        browser.client.cookies.jar.set_cookie(cookie)
    return answer.headers.get("location", "/account").partition("?")[0]
