"""The application of the guide to browser apps signs somebody in, in a real browser, with its JavaScript."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page

from portico.testing.live import LiveServer, clean_environment
from tests.docs.programs import running, write_programs
from tests.e2e.conftest import Visitors

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "clients" / "browser.md"
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
EMAIL, PASSWORD = "browser.app@example.com", "correct horse battery staple 7"


def registered(server: LiveServer, redirect_uri: str) -> str:
    """Register the client as the guide does; return its id."""
    command = ["client", "create", "Acme", "--kind", "browser", "--redirect-uri", redirect_uri]
    run = subprocess.run(
        [sys.executable, "-c", "from portico.cli import main; main()", *command],
        cwd=server.folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"^client_id +(\S+)$", run.stdout, re.MULTILINE)
    assert found is not None
    return found.group(1)


def free_address() -> tuple[str, str]:
    """Return an origin on which nobody listens, and its port."""
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
    return f"http://localhost:{port}", str(port)


def open_when_served(page: Page, url: str) -> None:
    """Open a page whose server has only just been started."""
    for _ in range(50):
        try:
            page.goto(url)
        except Error:
            page.wait_for_timeout(100)
        else:
            return
    raise AssertionError(f"nobody serves {url}")


def test_it_signs_somebody_in(server: LiveServer, visitors: Visitors, tmp_path: Path) -> None:
    here, port = free_address()
    page = visitors.new(with_scripts=True).page
    replaced = {
        "http://localhost:8000": server.url,
        "http://localhost:9000": here,
        '"CLIENT_ID"': f'"{registered(server, f"{here}/")}"',
    }
    write_programs(GUIDE, tmp_path, replaced)
    account = {"email": EMAIL, "password": PASSWORD}
    assert page.request.post(f"{server.url}/api/v1/auth/register", data=account).ok
    arguments = ("-m", "http.server", port, "--bind", "localhost")
    with running(*arguments, folder=tmp_path, environment={}):
        open_when_served(page, here)
        page.click("#sign-in")
        page.fill("#username", EMAIL)
        page.fill("#password", PASSWORD)
        page.click("form button[type=submit]")
        page.click("button[value=approve]")
        page.wait_for_function("document.querySelector('#who')?.textContent.startsWith('Hello')")

    assert page.text_content("#who") == f"Hello, {EMAIL}"
    assert page.url == f"{here}/"
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
