"""People at the pages, in one line."""

from httpx2 import Response

from portico.testing.mail import CapturedMails
from tests.web.browser import Browser, Page

ADA = "ada@example.com"
PASSWORD = "correct horse battery staple"
OTHER_PASSWORD = "paper clip orange thunder"
CHEAP = {"argon2_memory_kib": 8192, "argon2_passes": 1}
"""Hashes that cost little."""


async def sign_up(
    browser: Browser, email: str = ADA, password: str = PASSWORD, *, full_name: str = "Ada Lovelace"
) -> Page:
    """Sign up at the page."""
    page = await browser.open("/signup")
    return await browser.submit(page, "/signup", email=email, password=password, full_name=full_name)


async def sign_in(browser: Browser, identifier: str = ADA, password: str = PASSWORD) -> Page:
    """Sign in at the page."""
    page = await browser.open("/login")
    return await browser.submit(page, "/login", username=identifier, password=password)


async def answer_to_sign_in(browser: Browser, identifier: str = ADA, password: str = PASSWORD) -> Response:
    """Return the answer to the form itself."""
    page = await browser.open("/login")
    return await browser.send(page, "/login", username=identifier, password=password)


async def sign_out(browser: Browser) -> Page:
    """Sign out by the button on the page of the account."""
    page = await browser.open("/account")
    return await browser.submit(page, "/logout")


def link_in(mails: CapturedMails, path: str, *, to: str = ADA) -> str:
    """Return path and query of the newest link to a page in the mails of an address."""
    links = [link for mail in mails.to(to) for link in mail.links if path in link]
    return links[-1].partition("localhost:8000")[2]
