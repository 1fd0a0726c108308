"""A real server, and Chromium without JavaScript at it. Run by `make e2e`; pictures go to `e2e-results/`."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from portico.testing.live import LiveServer, live_server

RESULTS = Path(__file__).parents[2] / "e2e-results"
SYSTEM_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
DESKTOP, PHONE = (1280, 800), (390, 844)
PASSWORD = "correct horse battery staple"
ADMINISTRATOR = "grace.helps@example.com"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Run the server as a newcomer does, on SQLite, with limits wide enough for a test."""
    wide = {"PORTICO_RATE_LIMIT__ENABLED": "false", "PORTICO_USERS__UNASKED_MAILS": "100/minute"}
    with live_server(tmp_path_factory.mktemp("server"), wide) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Start the browser of the system, or the one that Playwright brings."""
    installed = next(filter(None, map(shutil.which, SYSTEM_BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass(slots=True)
class Visitor:
    """Somebody at a browser: one window, and what the browser complained about."""

    server: LiveServer
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(path if path.startswith("http") else self.server.url + path)
        return self.page

    def picture(self, name: str, *, whole: bool = True) -> None:
        RESULTS.mkdir(exist_ok=True)
        self.page.screenshot(path=str(RESULTS / f"{name}.png"), full_page=whole)


class Visitors:
    """Opens windows, each as if at another device."""

    def __init__(self, server: LiveServer, chromium: Browser) -> None:
        self._server = server
        self._chromium = chromium
        self.all: list[Visitor] = []

    def new(
        self,
        size: tuple[int, int] = DESKTOP,
        *,
        scheme: str = "light",
        language: str = "en",
        with_scripts: bool = False,
    ) -> Visitor:
        context = self._chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            locale=language,
            java_script_enabled=with_scripts,
        )
        visitor = Visitor(self._server, context, context.new_page())
        visitor.page.on("console", lambda message: self._note(visitor, message.type, message.text))
        self.all.append(visitor)
        return visitor

    def _note(self, visitor: Visitor, kind: str, text: str) -> None:
        # That an answer is 4xx is what the test wanted; what the policy blocked is not.
        if kind in {"error", "warning"} and "Failed to load resource" not in text:
            visitor.complaints.append(text)


@pytest.fixture
def visitors(server: LiveServer, chromium: Browser) -> Iterator[Visitors]:
    """Return the way to open windows; at the end nothing may have been complained about."""
    visitors = Visitors(server, chromium)
    yield visitors
    complaints = [complaint for visitor in visitors.all for complaint in visitor.complaints]
    for visitor in visitors.all:
        visitor.context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def administrator(server: LiveServer, chromium: Browser) -> str:
    """Make Grace Hopper the first administrator by the link in the server's own output; return her address."""
    [link, *_] = re.findall(r"http\S+/setup\?token=\S+", server.output)
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(link)
        page.get_by_label("Name").fill("Grace Hopper")
        page.get_by_label("E-mail address").fill(ADMINISTRATOR)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button").last.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Profile")
    return ADMINISTRATOR
