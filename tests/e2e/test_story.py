"""The first paragraph of the README in a real browser without JavaScript, on a real server."""

import time

import pytest
from playwright.sync_api import Page, expect

from portico.mail.captured import CapturedMail
from portico.testing.live import LiveServer
from tests.e2e.conftest import PASSWORD, PHONE, Visitor, Visitors

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

OTHER_PASSWORD = "paper clip orange thunder"


def newest_mail(server: LiveServer, to: str, subject: str) -> CapturedMail:
    """Wait for a mail; the server sends in the background."""
    for _ in range(200):
        found = [mail for mail in server.mails.to(to) if subject in mail.subject]
        if found:
            return found[-1]
        time.sleep(0.05)
    raise LookupError(f"no mail {subject!r} to {to}: {[mail.subject for mail in server.mails]}")


def sign_in(visitor: Visitor, address: str, password: str) -> Page:
    page = visitor.open("/login")
    page.get_by_label("E-mail address or username").fill(address)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    return page


def sign_up(visitor: Visitor, address: str, name: str = "Ada Lovelace") -> Page:
    page = visitor.open("/signup")
    page.get_by_label("Name").fill(name)
    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    return page


def test_the_whole_story_without_javascript(server: LiveServer, visitors: Visitors) -> None:
    ada = visitors.new()
    address = "ada@example.com"

    page = sign_up(ada, address)
    expect(page.get_by_role("status")).to_contain_text("Welcome!")
    ada.picture("02-signed-up")

    page = ada.open(newest_mail(server, address, "Confirm").link)
    ada.picture("03-confirm")
    page.get_by_role("button", name="Confirm address").click()
    expect(page.get_by_role("status")).to_have_text("Your address is confirmed.")
    expect(page.get_by_text("Confirmed", exact=True)).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to Portico")
    ada.picture("04-signed-out")

    page = sign_in(ada, address, "not the password")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong")
    ada.picture("05-wrong-password")
    page = sign_in(ada, address, PASSWORD)
    expect(page.get_by_role("heading", level=1)).to_have_text("Profile")

    page.get_by_label("Username").fill("ada")
    page.get_by_label("Time zone").select_option("Europe/London")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("status")).to_have_text("Your profile was saved.")
    ada.picture("06-profile")

    on_the_phone = visitors.new(PHONE)
    sign_in(on_the_phone, "ada", PASSWORD)
    on_the_phone.picture("07-profile-on-a-phone")
    page.get_by_role("link", name="Devices").click()
    expect(page.get_by_role("main").get_by_role("listitem")).to_have_count(2)
    ada.picture("08-devices")
    page.get_by_role("main").get_by_role("listitem").get_by_role("button").first.click()
    expect(page.get_by_role("status")).to_have_text("The device is signed out.")
    expect(on_the_phone.open("/account").get_by_role("heading", level=1)).to_have_text("Sign in to Portico")

    page = on_the_phone.open("/forgot")
    page.get_by_label("E-mail address").fill(address)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your mail")
    on_the_phone.picture("09-check-mail")
    page = on_the_phone.open(newest_mail(server, address, "new password").link)
    page.get_by_label("New password").fill(OTHER_PASSWORD)
    on_the_phone.picture("10-new-password")
    page.get_by_role("button", name="Save new password").click()
    expect(page.get_by_role("status")).to_contain_text("Your new password is set.")

    page = ada.open("/account")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to Portico")
    sign_in(ada, address, PASSWORD)
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong")
    sign_in(ada, address, OTHER_PASSWORD)
    expect(page.get_by_role("heading", level=1)).to_have_text("Profile")


def test_the_code_does_what_the_link_does(server: LiveServer, visitors: Visitors) -> None:
    grace = visitors.new()
    sign_up(grace, "grace@example.com", "Grace Hopper")
    code = newest_mail(server, "grace@example.com", "Confirm").code

    page = visitors.new(PHONE).open("/verify")
    page.get_by_label("E-mail address").first.fill("grace@example.com")
    page.get_by_label("Code").fill(code or "")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm address").click()

    expect(page.get_by_role("status")).to_have_text("Your address is confirmed.")


def test_an_account_is_closed(visitors: Visitors) -> None:
    alan = visitors.new()
    sign_up(alan, "alan@example.com", "Alan Turing")
    page = alan.open("/account/data")
    alan.picture("11-data")

    with page.expect_download() as download:
        page.get_by_role("button", name="Download my data").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Delete my account").click()

    assert download.value.suggested_filename == "my-data.json"
    expect(page.get_by_role("status")).to_contain_text("Your account is closed.")
    sign_in(alan, "alan@example.com", PASSWORD)
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong")
