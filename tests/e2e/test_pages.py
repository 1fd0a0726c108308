"""How the pages look and feel: on a phone, in the dark, in German, by keyboard, and with the little script."""

import pytest
from playwright.sync_api import Dialog, expect

from tests.e2e.conftest import DESKTOP, PASSWORD, PHONE, Visitor, Visitors
from tests.e2e.test_story import sign_up

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SMALLEST = (320, 640)
"""WCAG 2.2, 1.4.10: no sideways scrolling at the width of 320 pixels."""
OUTSIDE = ("/", "/login", "/signup", "/forgot", "/reset", "/verify", "/nowhere")
INSIDE = ("/account", "/account/password", "/account/devices", "/account/data")


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE, SMALLEST], ids=["desktop", "phone", "smallest"])
def test_no_page_scrolls_sideways(visitors: Visitors, size: tuple[int, int], language: str) -> None:
    visitor = visitors.new(size, language=language)
    addresses = [f"{path}?lang={language}" for path in OUTSIDE]
    for address in addresses:
        page = visitor.open(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], address
    email = f"{'long-' * 8}{language}-{size[0]}@example.com"
    sign_up_by_ids(visitor, email)
    for path in INSIDE:
        page = visitor.open(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path


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
