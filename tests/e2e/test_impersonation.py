"""Support acts in a person's name in a real browser: a banner on every page, and the way back."""

import pytest
from playwright.sync_api import expect

from portico.testing.live import LiveServer
from tests.e2e.conftest import PASSWORD, PHONE, Visitor, Visitors
from tests.e2e.test_story import newest_mail, sign_in, sign_up

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

REASON = "Ticket 4711: the list of devices is empty"


def act_as(visitor: Visitor, user_id: str) -> None:
    """Do what a page of support does: ask by the session's cookie, and get another."""
    token = visitor.page.locator("input[name=csrf_token]").first.get_attribute("value")
    answer = visitor.context.request.post(
        f"{visitor.server.url}/api/v1/admin/users/{user_id}/impersonate",
        data={"reason": REASON, "transport": "page"},
        headers={"X-CSRF-Token": token or "", "Origin": visitor.server.url},
    )
    assert answer.status == 201, answer.text()


def test_support_helps_under_a_banner_and_goes_back(
    server: LiveServer, visitors: Visitors, administrator: str
) -> None:
    ada, grace, address = visitors.new(), visitors.new(), "ada.helped@example.com"
    sign_up(ada, address)
    user_id = ada.context.request.get(f"{server.url}/api/v1/users/me").json()["id"]
    sign_in(grace, administrator, PASSWORD)

    act_as(grace, user_id)

    page = grace.open("/account")
    banner = page.get_by_role("region", name="Support")
    expect(banner).to_contain_text("Grace Hopper is acting as Ada Lovelace until")
    expect(banner).to_contain_text(REASON)
    expect(page.get_by_text("Change address")).to_have_count(0)
    grace.picture("20-impersonation-profile")
    for path in ("/account/devices", "/account/data", "/account/password", "/verify", "/nowhere"):
        grace.open(path)
        expect(banner).to_be_visible()
        grace.picture(f"21-impersonation{path.replace('/', '-')}")
    grace.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    grace.open("/account/devices")
    grace.picture("22-impersonation-phone")

    page = ada.open("/account/devices")
    expect(page.get_by_text(f"Support: {REASON}")).to_be_visible()
    ada.picture("23-impersonation-seen-by-the-person")
    assert "acting in your name" in newest_mail(server, address, "Support").subject

    page = grace.open("/account")
    page.get_by_role("button", name="End").click()
    expect(page.get_by_role("status")).to_have_text("You act in your own name again.")
    expect(page.get_by_role("region", name="Support")).to_have_count(0)
    expect(page.get_by_text(administrator)).to_be_visible()
    assert ada.open("/account/devices").get_by_text("Support:").count() == 0


def test_the_person_ends_it(server: LiveServer, visitors: Visitors, administrator: str) -> None:
    ada, grace = visitors.new(scheme="dark"), visitors.new(scheme="dark")
    sign_up(ada, "ada.ends.it@example.com")
    user_id = ada.context.request.get(f"{server.url}/api/v1/users/me").json()["id"]
    sign_in(grace, administrator, PASSWORD)
    act_as(grace, user_id)
    grace.open("/account")
    grace.picture("24-impersonation-dark")

    page = ada.open("/account/devices?lang=de")
    ada.picture("25-impersonation-german")
    page.locator("form[action='/account/devices/end'] button").first.click()

    assert grace.open("/account/data").url.partition("?")[0].endswith("/login")
