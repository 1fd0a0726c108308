"""The example of the embedding guide works: its own tests, and served by `portico serve`."""

import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from portico.testing.live import clean_environment, live_server

SHOP = Path(__file__).parents[2] / "examples" / "shop"
pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a copy, as a team would have it in a repository of its own."""
    return Path(shutil.copytree(SHOP, tmp_path / "shop", ignore=shutil.ignore_patterns("__pycache__", ".*")))


def test_its_own_tests_pass_on_both_databases(shop: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:valkey", "-p", "no:cacheprovider"]
    run = subprocess.run(
        command, cwd=shop, env=clean_environment(), capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stdout
    assert "22 passed" in run.stdout


def test_it_is_served_with_its_routes_and_tables(shop: Path) -> None:
    with live_server(shop) as server:
        with urllib.request.urlopen(f"{server.url}/openapi.json", timeout=20) as answer:
            paths = json.load(answer)["paths"]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{server.url}/api/v1/orders", timeout=20)

    assert {"/api/v1/orders", "/api/v1/orders/{order_id}/ship", "/api/v1/users/me"} <= set(paths)
    assert "Shop on http://localhost:" in server.output


def test_its_own_application_is_the_same(shop: Path) -> None:
    code = "from shop.main import app; print('/api/v1/orders' in app.openapi()['paths'])"
    command = [sys.executable, "-c", code]
    run = subprocess.run(
        command, cwd=shop, env=clean_environment(), capture_output=True, text=True, check=True
    )

    assert run.stdout.strip().endswith("True")
