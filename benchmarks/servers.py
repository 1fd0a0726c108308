"""Starts the servers under measurement, each a process of its own on a free port."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UNLIMITED = "900000000/minute 900000000/hour 900000000/day"
"""The limiter runs on every request and is never reached."""


@dataclass(slots=True)
class Server:
    """A running server: its port, its process, the seconds until it was healthy: on the clock, of the processor."""

    port: int
    process: subprocess.Popen[bytes]
    healthy_after: float
    healthy_cpu: float = 0.0

    @property
    def url(self) -> str:
        """Return the base URL."""
        return f"http://localhost:{self.port}"

    def rss_megabytes(self) -> float:
        """Return the resident memory of the process in MB (10^6 bytes)."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def cpu_seconds(self) -> float:
        """Return the processor time that the process has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def call(self, method: str, path: str, *, body: Mapping[str, Any] | None = None, token: str = "") -> Any:
        """Send one JSON request and return the answer's JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data=data, method=method)  # noqa: S310 - http to ourselves
        request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            raw = answer.read()
        return json.loads(raw) if raw else None


def portico_environment(folder: Path, database_url: str | None) -> dict[str, str]:
    """Return the environment of a server with everything on: limits, access log, security headers."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTICO_")}
    environment |= {
        "PORTICO_DATA_DIR": str(folder),
        "PORTICO_LOGGING__FORMAT": "json",
        "PORTICO_RATE_LIMIT__SIGN_IN": UNLIMITED,
        "PORTICO_RATE_LIMIT__WRITE": UNLIMITED,
        "PORTICO_RATE_LIMIT__READ": UNLIMITED,
    }
    if database_url:
        environment["PORTICO_DATABASE__URL"] = database_url
    return environment


def portico(arguments: list[str], environment: Mapping[str, str], *, stdin: str = "") -> None:
    """Run a `portico` command to its end."""
    command = [str(Path(sys.executable).parent / "portico"), *arguments]
    subprocess.run(
        command, env=dict(environment), input=stdin.encode(), check=True, stdout=subprocess.DEVNULL
    )


@contextmanager
def portico_server(
    folder: Path, environment: Mapping[str, str], *, core: int | None = None
) -> Iterator[Server]:
    """Run `portico serve`, on one core if `core` is given; its log goes to a file, as in production."""
    command = [str(Path(sys.executable).parent / "portico"), "serve"]
    with running(command, {**environment, "PORT": "{port}"}, "/health", folder, core) as server:
        yield server


@contextmanager
def bare_server(folder: Path, *, core: int | None = None) -> Iterator[Server]:
    """Run the bare FastAPI route on the same kind of server."""
    options = ["--no-access-log", "--no-server-header", "--log-level", "warning", "--port", "{port}"]
    command = [sys.executable, "-m", "uvicorn", "benchmarks.bare:app", *options]
    with running(command, os.environ, "/bare", folder, core) as server:
        yield server


@contextmanager
def running(
    command: list[str], environment: Mapping[str, str], probe: str, folder: Path, core: int | None
) -> Iterator[Server]:
    """Run a server on a free port, which stands as `{port}` in its command and environment, until `probe` answers."""
    port = _free_port()
    command = [part.replace("{port}", str(port)) for part in command]
    environment = {name: value.replace("{port}", str(port)) for name, value in environment.items()}
    pin = (lambda: os.sched_setaffinity(0, {core})) if core is not None else None
    started = time.perf_counter()
    with (folder / f"server-{port}.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, preexec_fn=pin)  # noqa: PLW1509
        try:
            server = Server(port, process, _wait(port, probe, process, started))
            server.healthy_cpu = server.cpu_seconds()
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=40)


def _wait(port: int, probe: str, process: subprocess.Popen[bytes], started: float) -> float:
    while time.perf_counter() - started < 60:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{probe}", timeout=5):
                return time.perf_counter() - started
        except OSError:
            time.sleep(0.01)
    raise RuntimeError("the server did not become healthy within a minute")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
