"""The whole promise in one walk: an MCP client, a browser app, a television and a service get in, each in its own way;
all of it stands on the trail; one click ends each, and what it held is refused.

The programs are those of the guides.
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from portico.testing.live import LiveServer, clean_environment, live_server
from tests.docs.programs import SIGN_IN_AT, line_of, promised, running, write_programs
from tests.e2e.conftest import Visitor, Visitors
from tests.e2e.test_browser_app import free_address, open_when_served
from tests.e2e.test_story import sign_up

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guides" / "clients"
EMAIL = "ada@example.com"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
KEPT = "    async def set_tokens(self, tokens):\n        self.tokens = tokens\n"
TOLD = KEPT + '        print("token", tokens.access_token, flush=True)\n'
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(360)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Run the example of an MCP server, which is a Portico with two tools behind it."""
    ignored = shutil.ignore_patterns("__pycache__", ".*", "tests", "portico-data")
    folder = tmp_path_factory.mktemp("house") / "notes"
    shutil.copytree(ROOT / "examples" / "mcp_server", folder, ignore=ignored)
    with live_server(folder, {"PORTICO_RATE_LIMIT__ENABLED": "false"}) as running_server:
        yield running_server


@pytest.fixture
def people(house: LiveServer, chromium: Browser) -> Iterator[Visitors]:
    visitors = Visitors(house, chromium)
    yield visitors
    for visitor in visitors.all:
        visitor.context.close()


def portico(house: LiveServer, *command: str) -> str:
    """Run a command of the operator; return what it prints."""
    program = [sys.executable, "-c", "from portico.cli import main; main()", *command]
    run = subprocess.run(
        program, cwd=house.folder, env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def registered(house: LiveServer, *arguments: str) -> str:
    """Register a client; return its id."""
    client_id: str = json.loads(portico(house, "client", "create", *arguments, "--json"))["client_id"]
    return client_id


def status_of(url: str, token: str, body: dict[str, object] | None = None) -> int:
    """Return how a request with this token is answered."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    headers["Accept"] = "application/json, text/event-stream"
    content = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, content, headers), timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code


def listed_tools(house: LiveServer, token: str) -> int:
    """Ask the MCP server for its tools."""
    return status_of(f"{house.url}/mcp", token, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})


def an_mcp_client_connects(house: LiveServer, ada: Visitor, folder: Path) -> str:
    """From the server's URL and nothing else."""
    write_programs(GUIDES / "mcp.md", folder, {KEPT: TOLD})
    with running("tools.py", f"{house.url}/mcp", folder=folder, environment={}) as program:
        page = ada.open(line_of(program, SIGN_IN_AT).group(1))
        expect(page.get_by_role("heading", name="Connect Tool lister?")).to_be_visible()
        page.get_by_role("button", name="Allow", exact=True).click()
        printed, _ = program.communicate(timeout=30)
    word, token, *tools = printed.split()

    assert (word, tools) == ("token", promised(GUIDES / "mcp.md").split())
    return token


def a_browser_app_signs_in(house: LiveServer, ada: Visitor, folder: Path) -> str:
    """By PKCE, with its own JavaScript; Ada is signed in already and only agrees."""
    here, port = free_address()
    client_id = registered(house, "Acme", "--kind", "browser", "--redirect-uri", f"{here}/")
    replaced = {
        "http://localhost:8000": house.url,
        "http://localhost:9000": here,
        '"CLIENT_ID"': f'"{client_id}"',
    }
    write_programs(GUIDES / "browser.md", folder, replaced)
    page = ada.page
    with running("-m", "http.server", port, "--bind", "localhost", folder=folder, environment={}):
        open_when_served(page, here)
        page.click("#sign-in")
        with page.expect_response(f"{house.url}/oauth/token") as answered:
            page.get_by_role("button", name="Allow", exact=True).click()
        expect(page.locator("#who")).to_have_text(f"Hello, {EMAIL}")
        token: str = answered.value.json()["access_token"]
    return token


def a_television_signs_in(house: LiveServer, ada: Visitor) -> str:
    """By a code that Ada types; a code of nobody's is told so, and may be typed again."""
    client_id = registered(house, "Acme TV", "--kind", "device")
    waiting = posted(f"{house.url}/oauth/device_authorization", client_id=client_id, scope="openid email")
    page = ada.open("/device")
    page.get_by_label("Code").fill("BCDF-GHJK")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    page.get_by_label("Code").fill(waiting["user_code"])
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Connect Acme TV?")).to_be_visible()
    ada.picture("30-television")
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("heading", name="The device is connected")).to_be_visible()
    tokens = posted(
        f"{house.url}/oauth/token",
        client_id=client_id,
        grant_type=DEVICE_CODE,
        device_code=waiting["device_code"],
    )
    return tokens["access_token"]


def posted(url: str, **fields: str) -> dict[str, str]:
    with urllib.request.urlopen(url, urlencode(fields).encode(), timeout=20) as answer:
        answered: dict[str, str] = json.load(answer)
    return answered


def a_service_gets_a_token(house: LiveServer, folder: Path) -> tuple[str, str]:
    """With its private key, for the MCP server; return the client's id and the token."""
    told = {
        "http://localhost:8000": house.url,
        "https://reports.acme.example/": f"{house.url}/mcp",
        'print(f"A token for': 'print("token", tokens["access_token"])\nprint(f"A token for',
    }
    write_programs(GUIDES / "machine.md", folder, told)
    subprocess.run([sys.executable, "make_key.py"], cwd=folder, check=True)
    scope = ("--scope", "notes:read", "--metadata", str(folder / "client.json"))
    client_id = registered(house, "Key robot", "--kind", "machine", *scope)
    environment = os.environ | {"CLIENT_ID": client_id}
    run = subprocess.run(
        [sys.executable, "robot.py"], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    word, token, *_ = run.stdout.split()

    assert word == "token"
    return client_id, token


def end_with_one_click(page: Page, name: str) -> None:
    """Disconnect an application."""
    row = page.get_by_role("listitem").filter(has=page.get_by_text(name, exact=True))
    row.get_by_role("button").click()
    expect(page.get_by_role("status")).to_contain_text("disconnected")


def test_each_gets_in_is_seen_and_is_ended(house: LiveServer, people: Visitors, tmp_path: Path) -> None:
    ada = people.new(with_scripts=True)
    sign_up(ada, EMAIL)
    mcp_token = an_mcp_client_connects(house, ada, tmp_path)
    app_token = a_browser_app_signs_in(house, ada, tmp_path)
    tv_token = a_television_signs_in(house, ada)
    robot, robot_token = a_service_gets_a_token(house, tmp_path)
    userinfo = f"{house.url}/oauth/userinfo"

    assert listed_tools(house, mcp_token) == listed_tools(house, robot_token) == 200
    assert status_of(userinfo, app_token) == status_of(userinfo, tv_token) == 200

    page = ada.open("/account/applications")
    ada.picture("31-all-connected")
    end_with_one_click(page, "Tool lister")
    assert [listed_tools(house, mcp_token), status_of(userinfo, app_token)] == [401, 200]
    end_with_one_click(page, "Acme")
    assert [status_of(userinfo, app_token), status_of(userinfo, tv_token)] == [401, 200]
    end_with_one_click(page, "Acme TV")
    assert [status_of(userinfo, tv_token), listed_tools(house, robot_token)] == [401, 200]
    portico(house, "client", "disable", robot)
    assert listed_tools(house, robot_token) == 401

    trail = portico(house, "audit", "search", "--action", "oauth.", "--limit", "100").splitlines()
    who = ada.context.request.get(f"{house.url}/api/v1/users/me").json()["id"]
    for act, times in (
        ("oauth.client.registered", 4), ("oauth.consent.given", 3), ("oauth.grant.given", 3),
        ("oauth.consent.withdrawn", 3), ("oauth.grant.ended", 3), ("oauth.client.disabled", 1),
    ):  # fmt: skip
        told = [line for line in trail if f"  {act}  success  " in line]
        assert len(told) == times, (act, trail)
        assert ".client." in act or all(f"by {who}" in line for line in told), told
    portico(house, "audit", "verify")
