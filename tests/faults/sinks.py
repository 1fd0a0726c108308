"""The world outside, which outlives every kill: a mail server and an endpoint of webhooks, in a process of their own.

`python -m tests.faults.sinks <data directory>` prints where they listen, writes down what they take before they say
that they have it, and ends with its standard input.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from aiosmtpd.smtp import Envelope

from portico.core.ids import new_id
from portico.testing.sinks import HttpSink, Received, answering
from tests.faults.sweep import ROOT
from tests.mail.sink import Sink

HOOKS = "hooks.log"


@dataclass(frozen=True, slots=True)
class Outside:
    """Where the world outside is."""

    mail_url: str
    hook_url: str


@contextmanager
def outside(data: Path) -> Iterator[Outside]:
    """Run the sinks beside us."""
    process = Popen(
        [sys.executable, "-m", "tests.faults.sinks", str(data)], stdin=PIPE, stdout=PIPE, cwd=ROOT
    )
    try:
        assert process.stdout
        yield Outside(**json.loads(process.stdout.readline()))
    finally:
        process.communicate(timeout=30)


def hooked(data: Path) -> list[str]:
    """Return the ids of the webhooks that arrived, each as often as it did."""
    path = data / HOOKS
    return path.read_text().split() if path.exists() else []


class Mailbox(Sink):
    """A mail server that keeps every message, also one that it has already, as a file of its own."""

    folder: Path

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        assert isinstance(envelope.content, bytes)
        _written(self.folder / f"{new_id()}.eml", envelope.content)
        return "250 OK"


async def main(data: Path) -> None:
    """Listen until nobody holds the other end of standard input."""
    mailbox = Mailbox()
    mailbox.folder = data / "mail"
    async with mailbox, HttpSink(_noting(data / HOOKS)) as hook:
        print(json.dumps({"mail_url": mailbox.url, "hook_url": hook.url}), flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.read)


def _noting(path: Path) -> Any:
    answer = answering(204)

    async def behave(request: Received, writer: asyncio.StreamWriter) -> None:
        _written(path, f"{request.headers['webhook-id']}\n".encode(), mode="ab")
        await answer(request, writer)

    return behave


def _written(path: Path, content: bytes, mode: str = "wb") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode) as file:
        file.write(content)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
