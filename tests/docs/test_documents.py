"""The example of the guide to multi-tenancy works: its own tests, served, and in under 100 lines."""

import ast
import io
import json
import shutil
import subprocess
import sys
import tokenize
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from portico.testing.live import clean_environment, live_server

DOCUMENTS = Path(__file__).parents[2] / "examples" / "documents"
FRAME = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
}  # fmt: skip
pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """Return a copy, as a team would have it in a repository of its own."""
    ignored = shutil.ignore_patterns("__pycache__", ".*", "portico-data")
    return Path(shutil.copytree(DOCUMENTS, tmp_path / "documents", ignore=ignored))


@pytest.mark.bar("CHECK-2", "ASVS-8.4.1")
def test_its_own_tests_pass_on_both_databases(documents: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:valkey", "-p", "no:cacheprovider"]
    run = subprocess.run(
        command, cwd=documents, env=clean_environment(), capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stdout
    assert "14 passed" in run.stdout


def test_it_runs_with_one_command(documents: Path) -> None:
    path = "/api/v1/organizations/{organization_id}/documents"
    with live_server(documents) as server:
        with urllib.request.urlopen(f"{server.url}/openapi.json", timeout=20) as answer:
            described = json.load(answer)["paths"]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(server.url + path.format(organization_id="0" * 32), timeout=20)

    assert path in described


def test_the_feature_takes_less_than_a_hundred_lines() -> None:
    package = DOCUMENTS / "documents"

    assert sum(lines_of_code(path) for path in package.glob("*.py")) < 100


def lines_of_code(path: Path) -> int:
    """Count the lines of a module without blank lines, comments and docstrings."""
    source = path.read_text(encoding="utf-8")
    words = [
        token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type not in FRAME
    ]
    lines = {line for token in words for line in range(token.start[0], token.end[0] + 1)}
    return len(lines - set(_docstrings(ast.parse(source))))


def _docstrings(tree: ast.AST) -> list[int]:
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    spoken = [node for node in ast.walk(tree) if isinstance(node, owners) and ast.get_docstring(node)]
    return [
        line for node in spoken for line in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    ]
