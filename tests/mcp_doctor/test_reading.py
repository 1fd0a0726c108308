"""What the doctor reads: challenges, forms, streams; and the answer that comes by a browser."""

import asyncio
import socket
import urllib.request
import webbrowser

import pytest
from hypothesis import given, strategies as st

from portico.cli.mcp_doctor.challenges import read_challenges
from portico.cli.mcp_doctor.examining import examine
from portico.cli.mcp_doctor.findings import Broken
from portico.cli.mcp_doctor.forms import read_forms
from portico.cli.mcp_doctor.profiles import PROFILES
from portico.cli.mcp_doctor.signing_in import sign_in_by_browser
from portico.cli.mcp_doctor.walking import Options
from portico.cli.mcp_doctor.wire import MAX_BYTES, Wire
from portico.testing.sinks import HttpSink, dripping, endless
from tests.mcp_doctor.conftest import World

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer", [("Bearer", {})]),
        ('Bearer realm="a, b", error=x', [("Bearer", {"realm": "a, b", "error": "x"})]),
        ('Bearer ERROR="a\\"b"', [("Bearer", {"error": 'a"b'})]),
        (
            'DPoP algs="ES256", Bearer scope="a"',
            [("DPoP", {"algs": "ES256"}), ("Bearer", {"scope": "a"})],
        ),
        ("Negotiate, Bearer scope=a", [("Negotiate", {}), ("Bearer", {"scope": "a"})]),
        ('scope="a"', []),
        ("", []),
        ('Bearer scope="open', [("Bearer", {})]),
    ],
)
async def test_challenges(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(each.scheme, dict(each.parameters)) for each in read_challenges([header])] == expected


@given(st.text(max_size=200))
def test_any_header_is_read_without_harm(header: str) -> None:
    read_challenges([header])


async def test_forms() -> None:
    page = (
        '<form action="/a?x=1&amp;y=2" method="POST"><input name="a" value="1"><input name="b" type=checkbox>'
        '<input name=c type=checkbox checked><input value="nameless"><button name="d" value="2">x</button>'
        '<button type="button" name="e">y</button></form><input name="outside"><form></form>'
    )
    first, second = read_forms(page)

    assert (first.action, first.method) == ("/a?x=1&y=2", "post")
    assert first.fields == {"a": "1", "c": "on", "e": ""}
    assert (first.buttons, second.fields) == ([("d", "2")], {})


async def test_server_that_never_ends() -> None:
    async with HttpSink(behaviour=endless()) as sink, Wire(limit_seconds=5) as wire:
        assert len((await wire.send("GET", sink.url)).body) == MAX_BYTES


async def test_server_that_drips() -> None:
    async with HttpSink(behaviour=dripping()) as sink, Wire(limit_seconds=0.2) as wire:
        with pytest.raises(Broken, match=r"no answer within 0\.2 seconds"):
            await wire.send("GET", sink.url)


async def test_answer_that_comes_by_the_browser(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def visit(url: str) -> bool:
        """Go where a person would: through sign-in and consent, to the answer on loopback."""
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        opener.open(url, timeout=5)
        opener.open(f"{world.root}/login", data=b"username=ada", timeout=5)
        opener.open(f"{world.root}/consent", data=b"action=approve", timeout=5)
        return True

    monkeypatch.setattr(webbrowser, "open", visit)
    said: list[str] = []
    (report,) = await examine(world.url, PROFILES[:1], Options(), said.append)

    assert report.passed, report.findings
    assert said[0].startswith("Sign in with your browser")


async def test_nobody_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    monkeypatch.setattr("portico.cli.mcp_doctor.signing_in.PATIENCE_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(Broken, match="nobody came back"):
        await sign_in_by_browser(listener, "https://x.example", "http://localhost/cb", lambda _: None)
    await asyncio.sleep(0)
