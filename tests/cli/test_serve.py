"""`portico serve` in a process of its own: banner, free port, signals, workers."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from portico.testing.live import LiveServer, clean_environment, live_server
from tests.cli.conftest import Portico

pytestmark = pytest.mark.timeout(180)


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return str(answer.read().decode())


def wait_for_workers(server: LiveServer, count: int) -> int:
    """Wait until so many workers have started; return how many have."""
    deadline = time.monotonic() + 60
    while (started := server.output.count("Application startup complete")) < count:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return started


def test_free_port_is_taken_and_the_public_url_follows(tmp_path: Path) -> None:
    with live_server(tmp_path) as server:
        places = [line.split()[-1] for line in server.output.splitlines() if server.url in line]
        public = json.loads(get(f"{server.url}/openapi.json"))
        status = server.stop()

    assert {f"{server.url}/{path}" for path in ("login", "account", "docs", "dev/mail")} <= set(places)
    assert any("/setup" in place for place in places)
    assert public["openapi"].startswith("3.")
    assert (status, "Traceback" in server.output) == (0, False)


def test_interrupt_ends_it_quietly(tmp_path: Path) -> None:
    with live_server(tmp_path) as server:
        status = server.stop(signal.SIGINT)

    assert status == 0
    assert "Traceback" not in server.output, server.output
    assert "Aborted" not in server.output


def test_setup_link_is_not_printed_once_there_is_an_administrator(portico: Portico, tmp_path: Path) -> None:
    portico("migrate")
    portico("create-admin", "--email", "ada@example.com", "--password-stdin", stdin="correct horse battery 7")
    with live_server(tmp_path) as server:
        pass

    assert "first administrator" not in server.output


def test_database_of_production_is_not_migrated_unasked(portico: Portico, tmp_path: Path) -> None:
    outcome = portico(
        "serve",
        "--port=0",
        ENVIRONMENT="production",
        PUBLIC_URL="https://id.example.com",
        SECRET_KEY="kT4!xq9Zp2vLw8RbN6sYc1Jd5Hf7Gm3A",
        MAIL__URL="smtps://mail.example.com",
        DATABASE__URL=f"sqlite:///{tmp_path}/of-production.db",
    )

    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.strip().endswith("the database is at nothing: run `portico migrate`")


def test_port_in_use_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = subprocess.run(
            [sys.executable, "-c", "from portico.cli import main; main()", "serve", "--port", port],
            cwd=tmp_path,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    assert run.returncode == 1
    assert run.stderr.startswith(f"127.0.0.1:{port} cannot be listened on")
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "portico-data").exists()


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_several_workers_serve_and_end_together(tmp_path: Path, empty_database: str) -> None:
    settings = {"PORTICO_DATABASE__URL": empty_database}
    with live_server(tmp_path, settings, ["--workers", "2"]) as server:
        workers = wait_for_workers(server, 2)
        status = server.stop()

    assert (workers, status) == (2, 0)
    assert "Traceback" not in server.output
