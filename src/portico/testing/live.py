"""A real server in a process of its own, for what only a process shows: signals, several workers, a shell with curl.

with live_server(tmp_path) as server:
    subprocess.run(["curl", f"{server.url}/health"])
"""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from portico.testing.mail import CapturedMails

PATIENCE_SECONDS = 45.0
LOOK_EVERY_SECONDS = 0.05
ADDRESS = re.compile(r" on (http://[^\s]+)")


@dataclass(frozen=True, slots=True)
class LiveServer:
    """A running server; `url` is where it is, `folder` where it was started and keeps its data."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def output(self) -> str:
        """Return what it has written so far, banner and log."""
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")

    @property
    def mails(self) -> CapturedMails:
        """Return the mails that it has sent."""
        return CapturedMails(self.folder / "portico-data" / "mail")

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, wait, and return its exit status."""
        self.process.send_signal(by)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def live_server(
    folder: Path, environment: Mapping[str, str] | None = None, arguments: Sequence[str] = ()
) -> Iterator[LiveServer]:
    """Run `portico serve` on a free port in `folder`, where its `.env` and `portico.toml` are, until the block ends.

    Of the settings in this process's environment only `environment` is handed on.

    Raises:
        RuntimeError: it ended, or was not healthy in time; with what it wrote.
    """
    command = [
        sys.executable,
        "-c",
        "from portico.cli import main; main()",
        "serve",
        "--port",
        "0",
        *arguments,
    ]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=clean_environment() | dict(environment or {}),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield LiveServer(_wait_until_healthy(process, folder / "server.log"), folder, process)
    finally:
        _end(process)


def clean_environment() -> dict[str, str]:
    """Return this process's environment without settings of Portico's."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("PORTICO_")}
    return {name: value for name, value in kept.items() if name not in {"HOST", "PORT"}}


def _wait_until_healthy(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        found = ADDRESS.search(log.read_text(encoding="utf-8", errors="replace"))
        if found and _is_healthy(found.group(1)):
            return found.group(1)
        time.sleep(LOOK_EVERY_SECONDS)
    raise RuntimeError(f"the server did not start:\n{log.read_text(encoding='utf-8', errors='replace')}")


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=5) as answer:  # noqa: S310 - http to ourselves
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server and the workers that it started, whatever state they are in."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
