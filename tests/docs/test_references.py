"""The reference is what the code says; a stale page fails here. `python scripts/references.py` writes it anew."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REFERENCES = [sys.executable, str(ROOT / "scripts" / "references.py")]


def references(*arguments: str, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    return subprocess.run(
        [*REFERENCES, *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.bar("ASVS-8.1.1", "ASVS-2.1.1", "ASVS-6.1.3")
def test_nothing_is_stale() -> None:
    run = references("--check")

    assert run.returncode == 0, run.stderr


def test_neither_environment_nor_files_of_the_machine_change_anything(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORTICO_NAME=Acme\nPORTICO_NO_SUCH_SETTING=1\n")
    (tmp_path / "portico.toml").write_text("workers = 7\n")

    run = references("--check", folder=tmp_path, PORTICO_ENVIRONMENT="production", PORTICO_WORKERS="3")

    assert run.returncode == 0, run.stderr


def test_stale_and_missing_pages_are_named(tmp_path: Path) -> None:
    references("--root", str(tmp_path))
    (tmp_path / ".env.example").unlink()
    page = tmp_path / "docs" / "reference" / "events.md"
    page.write_text(page.read_text().replace("user.created", "user.made"))

    checked = references("--check", "--root", str(tmp_path))
    mended = references("--root", str(tmp_path))
    again = references("--check", "--root", str(tmp_path))

    assert checked.returncode == 1
    assert [line.split()[0] for line in checked.stderr.splitlines()] == [
        ".env.example",
        "docs/reference/events.md",
    ]
    assert (mended.returncode, again.returncode) == (0, 0)
