"""The API reference in a real browser: it draws, it calls, and the policy has nothing to refuse."""

import re

import pytest
from playwright.sync_api import Request, expect

from tests.e2e.conftest import Visitor, Visitors

pytestmark = pytest.mark.e2e


@pytest.mark.bar("ASVS-3.4.3", "ASVS-3.6.1")
def test_swagger_ui_draws_and_calls_without_a_complaint(visitors: Visitors) -> None:
    visitor = visitors.new(with_scripts=True)
    foreign = foreign_requests(visitor)
    page = visitor.open("/docs")
    page.locator("#operations-tag-health").click()
    page.locator(".opblock-summary-path", has_text="/health").first.click()
    page.get_by_role("button", name="Execute").click()

    expect(page.locator(".live-responses-table tr.response .response-col_status").first).to_contain_text(
        "200"
    )
    visitor.picture("docs")
    assert foreign == []
    assert visitor.complaints == []


def test_swagger_ui_follows_references_of_what_is_shown(visitors: Visitors) -> None:
    visitor = visitors.new(with_scripts=True)
    page = visitor.open("/docs")
    page.locator("#operations-tag-auth").click()
    operation = page.locator(".opblock", has_text="/api/v1/auth/register")
    operation.locator(".opblock-summary-path").click()

    expect(operation.locator("textarea")).to_have_value(re.compile('"password": ".*"'))
    expect(operation.locator(".responses-table").last).to_contain_text('"email_verified": true')
    expect(operation.locator(".responses-table").last).to_contain_text("409")
    visitor.picture("docs-register")


@pytest.mark.bar("ASVS-3.4.3", "ASVS-3.6.1")
def test_redoc_draws_without_a_complaint(visitors: Visitors) -> None:
    visitor = visitors.new(with_scripts=True)
    foreign = foreign_requests(visitor)
    page = visitor.open("/redoc")

    expect(page.get_by_text("Response samples").first).to_be_visible(timeout=20_000)
    visitor.picture("redoc", whole=False)  # 300,000 pixels high
    assert foreign == []
    assert visitor.complaints == []


def foreign_requests(visitor: Visitor) -> list[str]:
    """Return a list that fills with what the page asks of other origins."""
    foreign: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((visitor.server.url, "data:", "blob:")):
            foreign.append(request.url)

    visitor.page.on("request", note)
    return foreign
