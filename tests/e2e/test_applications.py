"""Applications at a browser: somebody comes from one, signs up, lets it in, sees it in his account and is rid of it.

The application is a small server of its own on another port, so that what browsers hold back of forms that lead
elsewhere (`form-action`) is tried as it is.
"""

import json
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import DESKTOP, PASSWORD, PHONE, Visitor, Visitors

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
SMALLEST = (320, 640)


@dataclass
class Application:
    """An application that waits for its answer at an address of its own."""

    address: str
    answers: list[dict[str, str]] = field(default_factory=list)

    def register(self, server: str, **members: Any) -> str:
        """Register at the server, as any application may; return the client_id."""
        metadata = {
            "client_name": "Weaver's Loom",
            "redirect_uris": [self.address],
            "token_endpoint_auth_method": "none",
            "policy_uri": "https://loom.example/privacy",
            "tos_uri": "https://loom.example/terms",
            **members,
        }
        request = urllib.request.Request(
            f"{server}/oauth/register",
            json.dumps(metadata).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answered:
            client_id: str = json.load(answered)["client_id"]
        return client_id

    def asking(self, client_id: str, **more: str) -> str:
        """Return the address to which it sends a browser."""
        query = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": self.address,
            "scope": "openid profile email user:self:read organization:organization:read offline_access",
            "state": "s-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **more,
        }
        return f"/oauth/authorize?{urlencode(query)}"


@pytest.fixture(scope="module")
def application() -> Iterator[Application]:
    made = Application("")

    class Waiting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._take(urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._take(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def _take(self, given: str) -> None:
            if urlsplit(self.path).path == "/callback":
                made.answers.append(dict(parse_qsl(given)))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><html lang=en><title>Loom</title><h1>Back at the loom</h1>")

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    server = HTTPServer(("127.0.0.1", 0), Waiting)
    made.address = f"http://127.0.0.1:{server.server_port}/callback"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def sign_up_on_the_way(visitor: Visitor, asking: str, email: str) -> Page:
    """Come from the application without an account; return the page of consent."""
    page = visitor.open(asking)
    page.get_by_role("link", name="Create an account").click()
    page.fill("#full_name", "Ada Lovelace")
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.wait_for_url("**/oauth/consent?ticket=*")
    return page


def test_a_new_person_lets_an_application_in_and_is_rid_of_it(
    visitors: Visitors, application: Application
) -> None:
    visitor = visitors.new()
    client_id = application.register(visitor.server.url)

    page = sign_up_on_the_way(visitor, application.asking(client_id), "loom@example.com")
    expect(page.get_by_role("heading", name="Connect Weaver's Loom?")).to_be_visible()
    visitor.picture("consent-desktop-light")
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("heading", name="Back at the loom")).to_be_visible()
    assert application.answers[-1].keys() == {"code", "state", "iss"}

    page = visitor.open("/account")
    page.get_by_role("link", name="Connected applications").click()
    expect(page.get_by_text("Weaver's Loom", exact=True)).to_be_visible()
    page.get_by_text("What it may do").click()
    visitor.picture("applications-open-desktop-light")
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_role("status")).to_contain_text("disconnected")
    visitor.picture("applications-empty-desktop-light")


@pytest.mark.parametrize("with_scripts", [False, True], ids=["by the button", "by itself"])
def test_the_answer_by_form_arrives(
    visitors: Visitors,
    application: Application,
    with_scripts: bool,
) -> None:
    visitor = visitors.new(with_scripts=with_scripts)
    client_id = application.register(visitor.server.url)
    asking = application.asking(client_id, response_mode="form_post")

    page = sign_up_on_the_way(visitor, asking, f"form-{with_scripts}@example.com")
    page.get_by_role("button", name="Allow", exact=True).click()
    if not with_scripts:
        visitor.picture("form-post-desktop-light")
        page.get_by_role("button", name="Go on").click()

    expect(page.get_by_role("heading", name="Back at the loom")).to_be_visible()
    assert "code" in application.answers[-1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE, SMALLEST], ids=["desktop", "phone", "smallest"])
def test_pages_about_applications_fit(
    visitors: Visitors, application: Application, size: tuple[int, int], scheme: str
) -> None:
    """No page scrolls sideways; the pictures are for people to look at."""
    visitor = visitors.new(size, scheme=scheme)
    kind = f"{size[0]}-{scheme}"
    long = application.register(visitor.server.url, client_name="Wolfeschlegelsteinhausenbergerdorff " * 3)
    pages = {"consent": sign_up_on_the_way(visitor, application.asking(long), f"fit-{kind}@example.com").url}
    _make_organization(visitor)
    page = visitor.open(pages["consent"])
    page.select_option("#organization_id", label="Analytical Engines")
    page.get_by_role("button", name="Allow", exact=True).click()
    pages["applications"] = "/account/applications"
    pages["organization"] = f"{_organization(visitor)}/applications"
    pages["refused"] = application.asking(long, redirect_uri="https://elsewhere.example/")
    pages["over"] = pages.pop("consent")
    pages["consent"] = application.asking(long, prompt="consent")

    for name, address in pages.items():
        page = visitor.open(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], name
        visitor.picture(f"oauth-{name}-{kind}")


def test_an_organization_is_asked_first(visitors: Visitors, application: Application) -> None:
    visitor = visitors.new()
    client_id = application.register(visitor.server.url)
    consent = sign_up_on_the_way(visitor, application.asking(client_id), "owner@example.com").url
    _make_organization(visitor)
    rules = f"{_organization(visitor)}/applications"
    page = visitor.open(rules)
    page.select_option("#default", "approval")
    page.get_by_role("button", name="Save").click()

    page = visitor.open(consent)
    page.select_option("#organization_id", label="Analytical Engines (its administrators are asked)")
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("heading", name="An administrator is asked")).to_be_visible()
    visitor.picture("oauth-approval-desktop-light")
    page = visitor.open(rules)
    visitor.picture("oauth-organization-asked-desktop-light")
    page.get_by_role("button", name="Let in").click()

    page = visitor.open(consent)
    page.select_option("#organization_id", label="Analytical Engines")
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("heading", name="Back at the loom")).to_be_visible()


def _make_organization(visitor: Visitor) -> None:
    page = visitor.open("/account/organizations")
    page.fill("#name", "Analytical Engines")
    page.locator("form[action='/account/organizations'] button").click()
    page.wait_for_url("**/account/organizations/*-*")


def _organization(visitor: Visitor) -> str:
    page = visitor.open("/account/organizations")
    links = page.locator("main a[href^='/account/organizations/']")
    address = links.first.get_attribute("href")
    assert address is not None
    return address
