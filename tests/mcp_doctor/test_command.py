"""`portico doctor mcp`: what it prints, its exit status, and that `portico doctor` still does what it did."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from portico.testing.sinks import HttpSink
from tests.cli.conftest import Portico, folder, portico
from tests.mcp_doctor.conftest import World

__all__ = ["folder", "portico"]


@contextmanager
def in_a_thread() -> Iterator[World]:
    """Serve a world beside the command, which runs an event loop of its own."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    worlds: list[World] = []
    over = asyncio.Event()

    async def serve() -> None:
        async with HttpSink() as sink:
            worlds.append(World(sink))
            sink.behaviour = worlds[0].behave
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait(10)
    try:
        yield worlds[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()


@pytest.fixture
def world() -> Iterator[World]:
    with in_a_thread() as world:
        yield world


SIGNED_IN = ("--username", "ada", "--password-stdin", "--profile", "codex")


def test_sound_server(portico: Portico, world: World) -> None:
    outcome = portico("doctor", "mcp", world.url, *SIGNED_IN, stdin="p4ss\n")

    assert outcome.status == 0, outcome.out
    lines = [line for line in outcome.out.splitlines() if line.startswith("✓")]
    assert len(lines) == 12
    assert "no step failed" in outcome.out
    assert world.forms[0]["password"] == ["p4ss"]
    assert "p4ss" not in outcome.out + outcome.err


def test_failing_step_says_what_mends_it(portico: Portico, world: World) -> None:
    world.spoil["server"] = lambda reply: reply.without("registration_endpoint")
    outcome = portico("doctor", "mcp", world.url, *SIGNED_IN, stdin="p4ss\n")

    assert outcome.status == 1
    assert "✗ Registration" in outcome.out
    assert "expected  a client id by metadata document or registration" in outcome.out
    assert "PORTICO_OAUTH__DYNAMIC_REGISTRATION=open" in outcome.out
    assert "Codex cannot connect" in outcome.out


def test_json_for_programs(portico: Portico, world: World) -> None:
    world.spoil["token"] = lambda reply: reply.but(token_type="mac")
    outcome = portico("doctor", "mcp", world.url, *SIGNED_IN, "--json", stdin="p4ss\n")

    told = json.loads(outcome.out)
    (profile,) = told["profiles"]
    assert (outcome.status, told["passed"], profile["profile"], profile["passed"]) == (
        1,
        False,
        "codex",
        False,
    )
    failed = [step for step in profile["steps"] if step["status"] == "failed"]
    assert [(step["step"], step["came"]) for step in failed] == [
        ("token", "token_type is 'mac', and the client knows Bearer only")
    ]


def test_all_clients_as_far_as_nobody_signs_in(portico: Portico, world: World) -> None:
    outcome = portico("doctor", "mcp", world.url, "--stop-before-sign-in", "--json")

    profiles = json.loads(outcome.out)["profiles"]
    assert (outcome.status, len(profiles), {each["passed"] for each in profiles}) == (0, 10, {True})


def test_texts_of_servers_do_not_reach_the_terminal_raw(portico: Portico, world: World) -> None:
    world.spoil["no-token"] = lambda reply: type(reply)(418, b"\x1b[31m[bold]red\x07")
    outcome = portico("doctor", "mcp", world.url, *SIGNED_IN, stdin="\n")

    assert "\x1b[31m" not in outcome.out
    assert "\x07" not in outcome.out
    assert "[bold]red" in outcome.out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("ftp://x.example",),
        ("x.example/mcp",),
        ("https://x.example/mcp", "--profile", "netscape"),
        ("https://x.example/mcp", "--username", "ada"),
        ("https://x.example/mcp", "--password-stdin"),
        ("https://x.example/mcp", "--registration", "never"),
        ("https://x.example/mcp", "--arguments", "[]"),
        ("https://x.example/mcp", "--unknown"),
    ],
    ids=" ".join,
)
def test_wrong_use(portico: Portico, arguments: tuple[str, ...]) -> None:
    assert portico("doctor", "mcp", *arguments).status == 2


def test_doctor_alone_examines_this_deployment(portico: Portico, folder: Path) -> None:
    outcome = portico("doctor")

    assert outcome.status == 1
    assert "✗ migrations" in outcome.out
