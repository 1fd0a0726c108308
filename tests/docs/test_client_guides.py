"""The guides to each kind of client tell the truth: their commands and programs run, and somebody signs in by them."""

import contextlib
import json
import os
import re
import shutil
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import pytest

from portico.cli.mcp_doctor.forms import read_forms
from portico.testing.consent import consent
from portico.testing.live import LiveServer, clean_environment, live_server
from tests.docs.programs import SIGN_IN_AT, line_of, promised, running, write_programs
from tests.docs.transcripts import Step, matches, run_steps, steps_of

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guides" / "clients"
KINDS = ("browser", "native", "server", "device", "machine", "mcp")
EMAIL, PASSWORD = "ada@example.com", "correct horse battery staple 7"
THERE, THERE_APP = "http://localhost:8000", "http://localhost:9000"
PAGES = {"Accept": "text/html"}
USER_CODE = re.compile(r"type (\S+)")
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not shutil.which("curl") or not shutil.which("bash"), reason="needs curl and bash"),
]


@dataclass(frozen=True, slots=True)
class Ground:
    """A running server, a folder of programs, and Ada, who has signed up."""

    server: LiveServer
    replaced: Mapping[str, str]

    @property
    def folder(self) -> Path:
        return self.server.folder

    def prepare(self, kind: str) -> str:
        """Write the programs of a guide, run its commands, compare, and return all that they printed."""
        return self.run(GUIDES / f"{kind}.md")

    def run(self, page: Path) -> str:
        """Do so with any page."""
        write_programs(page, self.folder, self.replaced)
        steps = [Step("exec 2>&1", ""), *steps_of(page)]
        printed = run_steps(steps, self.folder, self.replaced)
        wrong = [
            f"$ {step.command}\n{found}\n--- shown:\n{step.shown}"
            for step, found in zip(steps, printed, strict=True)
            if not matches(step.shown, found)
        ]
        assert not wrong, "\n\n".join(wrong)
        assert len(steps) > 1
        return "\n".join(printed)

    async def let_in(self, url: str) -> str:
        """Sign Ada in and have her agree; return the address to which her browser is sent."""
        async with httpx2.AsyncClient() as browser:
            return await consent(browser, url, EMAIL, PASSWORD)

    def shown(self, text: str) -> str:
        """Return a text as the page would have it."""
        for there, here in self.replaced.items():
            text = text.replace(here, there)
        return text.strip("\n")


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with served(tmp_path_factory.mktemp("ground")) as server:
        yield Ground(server, {THERE: server.url, THERE_APP: f"http://localhost:{free_port()}"})


@contextlib.contextmanager
def served(folder: Path) -> Iterator[LiveServer]:
    """Run the server in a folder, with Ada's account."""
    with live_server(folder, {"PORTICO_RATE_LIMIT__ENABLED": "false"}) as server:
        body = json.dumps({"email": EMAIL, "password": PASSWORD}).encode()
        wish = urllib.request.Request(
            f"{server.url}/api/v1/auth/register", body, {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(wish, timeout=20).close()
        yield server


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `portico` and `python` be those of the tests, without settings from outside."""
    for name in os.environ.keys() - clean_environment().keys():
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("localhost", 0)) as taken:
        return int(taken.getsockname()[1])


def client_id_in(printed: str) -> str:
    """Return the client id that a command printed."""
    found = re.search(r"^client_id +(\S+)$", printed, re.MULTILINE)
    assert found is not None, printed
    return found.group(1)


def test_there_is_a_guide_for_each_kind() -> None:
    assert {page.stem for page in GUIDES.glob("*.md")} == set(KINDS)


async def visit(url: str) -> None:
    """Open an address."""
    async with httpx2.AsyncClient() as browser:
        (await browser.get(url)).raise_for_status()


async def test_native_app(ground: Ground) -> None:
    client_id = client_id_in(ground.prepare("native"))

    with running("signin.py", folder=ground.folder, environment={"CLIENT_ID": client_id}) as program:
        await visit(await ground.let_in(line_of(program, SIGN_IN_AT).group(1)))
        rest, _ = program.communicate(timeout=30)

    assert rest.strip() == promised(GUIDES / "native.md")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["oauth-clients", "authorization-server"])
def test_pages_over_all_of_them(ground: Ground, name: str) -> None:
    ground.run(GUIDES.parent / f"{name}.md")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["organizations", "api-keys"])
def test_pages_of_organizations(ground: Ground, name: str) -> None:
    Ground(ground.server, {**ground.replaced, 'staple"': 'staple 7"'}).run(GUIDES.parent / f"{name}.md")


@pytest.mark.slow
async def test_device(ground: Ground) -> None:
    client_id = client_id_in(ground.prepare("device"))

    with running("tv.py", folder=ground.folder, environment={"CLIENT_ID": client_id}) as program:
        code = line_of(program, USER_CODE)
        await type_code(ground.server.url, code.group(1))
        rest, _ = program.communicate(timeout=60)

    first = f"Open {ground.server.url}/device and {code.group()}"
    assert matches(promised(GUIDES / "device.md"), ground.shown(f"{first}\n{rest}"))


async def type_code(url: str, code: str) -> None:
    """Have Ada sign in at `/device`, type a code and let the device in."""
    async with httpx2.AsyncClient(follow_redirects=True, headers=PAGES) as browser:
        page = await browser.get(f"{url}/device")
        for filled in (
            {"username": EMAIL, "password": PASSWORD},
            {"user_code": code},
            {"action": "approve"},
        ):
            form = next(
                each for each in read_forms(page.text) if {*filled} & {*each.fields, *button_names(each)}
            )
            target = urljoin(str(page.url), form.action or str(page.url))
            page = await browser.post(target, data={**form.fields, **filled})
        assert page.url.path == "/device/approved", page.text


def button_names(form: object) -> set[str]:
    """Return the names of a form's buttons."""
    return {name for name, _ in getattr(form, "buttons", ())}


@pytest.mark.slow
def test_machine(ground: Ground) -> None:
    ground.prepare("machine")


async def test_server_app(ground: Ground) -> None:
    ground.prepare("server")
    made = json.loads((ground.folder / "acme.json").read_text())
    secrets = {"CLIENT_ID": made["client_id"], "CLIENT_SECRET": made["client_secret"]}
    here = ground.replaced[THERE_APP]
    port = here.rpartition(":")[2]

    with running("-m", "uvicorn", "acme:app", "--port", port, folder=ground.folder, environment=secrets):
        wait_for(here)
        async with httpx2.AsyncClient(follow_redirects=False) as browser:
            asked = await browser.get(f"{here}/login")
            back = await ground.let_in(asked.headers["location"])
            forged = await httpx2.AsyncClient().get(back)
            home = await browser.get(back, follow_redirects=True)

    assert forged.status_code == 400
    assert home.text == promised(GUIDES / "server.md")


def wait_for(url: str) -> None:
    """Wait until somebody listens."""
    for _ in range(200):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/openapi.json", timeout=5):
            return
        time.sleep(0.1)
    raise AssertionError(f"nobody listens at {url}")


@pytest.mark.slow
async def test_mcp_client(ground: Ground, tmp_path: Path) -> None:
    ground.prepare("mcp")
    ignored = shutil.ignore_patterns("__pycache__", ".*", "tests")
    example = Path(shutil.copytree(ROOT / "examples" / "mcp_server", tmp_path / "notes", ignore=ignored))

    with served(example) as server:
        url = f"{server.url}/mcp"
        with running("tools.py", url, folder=ground.folder, environment={}) as program:
            await visit(await ground.let_in(line_of(program, SIGN_IN_AT).group(1)))
            rest, _ = program.communicate(timeout=30)

    assert rest.strip() == promised(GUIDES / "mcp.md")


@pytest.mark.slow
def test_browser_app_is_registered_as_it_says(ground: Ground) -> None:
    """Whether it signs somebody in is asked of a browser, in `tests/e2e/test_browser_app.py`."""
    ground.prepare("browser")

    assert "CLIENT_ID" in (ground.folder / "index.html").read_text()
