"""How the pages look and feel: on a phone, in the dark, in German, by keyboard, and with the little script."""

import pytest
from playwright.sync_api import Dialog, expect

from tests.e2e.conftest import DESKTOP, PASSWORD, PHONE, Visitor, Visitors
from tests.e2e.test_story import sign_up

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SMALLEST = (320, 640)
"""WCAG 2.2, 1.4.10: no sideways scrolling at the width of 320 pixels."""
OUTSIDE = ("/", "/login", "/signup", "/forgot", "/reset", "/verify", "/nowhere")
INSIDE = (
    "/account", "/account/password", "/account/security", "/account/devices", "/account/applications",
    "/account/organizations", "/account/api-keys", "/account/data", "/device", "/oauth/logout",
)  # fmt: skip
ROOMS = (
    "",
    "/invitations",
    "/teams",
    "/roles",
    "/domains",
    "/api-keys",
    "/applications",
    "/activity",
    "/settings",
)
"""The tabs of an organization."""
CUT_OFF = """
[...document.querySelectorAll("main .card *")]
  .filter((each) => each.getBoundingClientRect().right > each.closest(".card").getBoundingClientRect().right + 1)
  .filter((each) => !each.matches(".visually-hidden") && each.checkVisibility())
  .map((each) => each.outerHTML)
"""
"""Cards hide what does not fit them."""
TOO_SMALL = """
[...document.querySelectorAll("button, a.button, input:not([type=hidden]), select")].filter((each) => {
  const target = (each.type === "checkbox" && each.closest("label")) || each;
  const { width, height } = target.getBoundingClientRect();
  return each.checkVisibility() && Math.min(width, height) < 24;
}).map((each) => each.outerHTML)
"""
"""WCAG 2.2, 2.5.8: nothing to press is smaller than 24 pixels; with a checkbox its words are pressed too."""


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE, SMALLEST], ids=["desktop", "phone", "smallest"])
def test_no_page_scrolls_sideways(visitors: Visitors, size: tuple[int, int], language: str) -> None:
    visitor = visitors.new(size, language=language)
    addresses = [f"{path}?lang={language}" for path in OUTSIDE]
    for address in addresses:
        page = visitor.open(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], address
        assert page.evaluate(TOO_SMALL) == [], address
    email = f"{'long-' * 8}{language}-{size[0]}@example.com"
    sign_up_by_ids(visitor, email)
    for path in (*INSIDE, *organization_pages(visitor)):
        page = visitor.open(f"{path}?lang={language}")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path
        assert page.evaluate(TOO_SMALL) == [], path
        assert page.evaluate(CUT_OFF) == [], path
        assert page.evaluate("scrollY") == 0, path
        visitor.picture(f"fits-{path.strip('/').rpartition('/')[2]}-{size[0]}-{language}")


def organization_pages(visitor: Visitor) -> list[str]:
    """Make an organization with a team, a domain and a guest of long names; return the addresses of its pages."""
    page = visitor.open("/account/organizations")
    page.fill("#name", "Wolfeschlegelsteinhausenbergerdorff & Söhne")
    page.click("form[action='/account/organizations'] button")
    page.wait_for_url("**/account/organizations/*-*")
    base = page.url.removeprefix(visitor.server.url).partition("?")[0]
    for room, field, text in (
        ("/teams", "#name", "Donaudampfschifffahrtsgesellschaftskapitäne"),
        ("/domains", "#domain", f"{'long-' * 8}name.example"),
        ("/invitations", "#email", f"{'long-' * 8}guest@example.com"),
    ):
        page = visitor.open(base + room)
        page.fill(field, text)
        page.locator("form", has=page.locator(field)).locator("button").click()
    team = visitor.open(f"{base}/teams").locator(f"main a[href^='{base}/teams/']").first.get_attribute("href")
    assert team is not None
    return [*(base + room for room in ROOMS), team]


def sign_up_by_ids(visitor: Visitor, email: str) -> None:
    """Sign up whatever the language, with a name that is hard to place."""
    page = visitor.open("/signup")
    page.fill("#full_name", "Wolfeschlegelsteinhausenbergerdorff " * 2)
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.click("form button")
    page.wait_for_url("**/account")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_of_every_page(visitors: Visitors, scheme: str) -> None:
    """Not a check by itself: the pictures are for people to look at."""
    for size, kind in ((DESKTOP, "desktop"), (PHONE, "phone")):
        visitor = visitors.new(size, scheme=scheme)
        for path in OUTSIDE:
            visitor.open(path)
            visitor.picture(f"{path.strip('/') or 'front'}-{kind}-{scheme}")
        sign_up(visitor, f"{kind}-{scheme}@example.com")
        for path in INSIDE:
            visitor.open(path)
            visitor.picture(f"{path.strip('/').replace('/', '-')}-{kind}-{scheme}")


def test_the_keyboard_reaches_everything_in_the_order_of_reading(visitors: Visitors) -> None:
    visitor = visitors.new()
    page = visitor.open("/login")
    reached = [page.evaluate("document.activeElement.id")]
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
        )

    assert reached == [
        "username", "password", "Forgot password?", "Sign in", "Create an account", "English", "Deutsch",
    ]  # fmt: skip


def test_focus_is_seen(visitors: Visitors) -> None:
    visitor = visitors.new()
    page = visitor.open("/login")
    for _ in range(4):
        page.keyboard.press("Tab")
        style = page.evaluate(
            "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])(getComputedStyle(document.activeElement))"
        )
        assert style == ["solid", "2px"]


def test_the_first_tab_in_the_account_skips_to_the_content(visitors: Visitors) -> None:
    visitor = visitors.new()
    sign_up(visitor, "skip@example.com")
    page = visitor.open("/account/password")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "main"


def test_a_typed_password_can_be_looked_at(visitors: Visitors) -> None:
    visitor = visitors.new(with_scripts=True)
    page = visitor.open("/login")
    field = page.get_by_label("Password", exact=True)
    field.fill("hunter2 hunter2")

    page.get_by_role("button", name="Show password").click()
    expect(field).to_have_attribute("type", "text")
    page.get_by_role("button", name="Show password").click()

    expect(field).to_have_attribute("type", "password")


def test_a_form_works_with_the_script_too(visitors: Visitors) -> None:
    visitor = visitors.new(with_scripts=True)

    page = sign_up(visitor, "scripted@example.com")

    expect(page.get_by_role("status")).to_contain_text("Welcome!")


@pytest.mark.bar("ASVS-3.2.2")
def test_markup_in_a_name_runs_nothing(visitors: Visitors) -> None:
    visitor = visitors.new(with_scripts=True)
    fired: list[str] = []

    def note(dialog: Dialog) -> None:
        fired.append(dialog.message)
        dialog.dismiss()

    visitor.page.on("dialog", note)

    sign_up(visitor, "markup@example.com", '"><img src=x onerror=alert(1)><svg onload=alert(2)></script>')
    for path in INSIDE:
        visitor.open(path).wait_for_load_state()

    assert fired == []
