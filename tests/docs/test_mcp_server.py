"""The example of the guide to MCP servers: its tests pass, one command serves it, and the doctor finds it sound."""

import json
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from portico.testing.live import clean_environment, live_server

EXAMPLE = Path(__file__).parents[2] / "examples" / "mcp_server"
PASSWORD = "correct horse battery staple 7"
COMMAND = (sys.executable, "-c", "from portico.cli import main; main()")
pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """Return a copy, as a team would have it in a repository of its own."""
    ignored = shutil.ignore_patterns("__pycache__", ".*", "portico-data")
    return Path(shutil.copytree(EXAMPLE, tmp_path / "notes", ignore=ignored))


@pytest.mark.bar("A30-30.1", "A30-30.6", "A30-30.8", "A30-30.20", "A30-30.23")
def test_its_own_tests_pass_on_both_databases(example: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:valkey", "-p", "no:cacheprovider"]
    run = subprocess.run(
        command, cwd=example, env=clean_environment(), capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stdout
    assert "8 passed" in run.stdout


@pytest.mark.bar("A30-30.2", "A30-30.3", "A30-30.4", "A30-30.7", "A30-30.9", "A30-30.10", "A7-7.6", "A1-1.2")
def test_every_client_connects_to_it_started_by_one_command(example: Path) -> None:
    with live_server(example) as server:
        sign_up(server.url)
        arguments = [
            "doctor",
            "mcp",
            f"{server.url}/mcp",
            "--username",
            "ada@example.com",
            "--password-stdin",
        ]
        run = subprocess.run(
            [*COMMAND, *arguments, "--registration", "dynamic", "--tool", "read_notes", "--json"],
            input=PASSWORD,
            cwd=example,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    told = json.loads(run.stdout)
    odd = [step for each in told["profiles"] for step in each["steps"] if step["status"] != "passed"]

    assert (run.returncode, odd, len(told["profiles"])) == (0, [], 10)


def sign_up(url: str) -> None:
    """Make Ada an account."""
    request = urllib.request.Request(
        f"{url}/api/v1/auth/register",
        data=json.dumps({"email": "ada@example.com", "password": PASSWORD}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 201
