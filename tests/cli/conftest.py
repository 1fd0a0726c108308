"""Runs commands as `portico` does, in this process, in an empty folder and without settings from outside."""

import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from portico.cli.application import main


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its exit status and what it wrote."""

    status: int
    out: str
    err: str


type Portico = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which the commands run."""
    for name in [name for name in os.environ if name.upper().startswith("PORTICO_")]:
        if not name.startswith("PORTICO_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def portico(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Portico]:
    """Return what runs `portico` with arguments, settings by name, and text on standard input."""

    def run(*arguments: str, stdin: str = "", **settings: str) -> Outcome:
        with monkeypatch.context() as patch, _environment_kept():
            patch.setattr(sys, "argv", ["portico", *arguments])
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            patch.setattr(sys, "path", [*sys.path])
            for name, value in settings.items():
                patch.setenv(f"PORTICO_{name}", value)
            status = _exit_status()
        written = capsys.readouterr()
        return Outcome(status, written.out, written.err)

    yield run
    root = logging.getLogger()
    for handler in [each for each in root.handlers if getattr(each, "portico", False)]:
        root.removeHandler(handler)  # it writes to a stream that pytest has closed


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Undo what a command hands to its worker processes by the environment."""
    kept = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def _exit_status() -> int:
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture
def database(empty_database: str) -> dict[str, str]:
    """Return the settings that lead to an empty, migrated database, once on SQLite and once on PostgreSQL."""
    return {"DATABASE__URL": empty_database}
