"""`portico audit …` as a person at a terminal sees it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
import typer
from typer.testing import CliRunner, Result

from portico.audit.commands import register_commands
from portico.audit.models import AuditEntry
from portico.composition import compose, opened
from portico.core.settings import Settings
from portico.feature import Feature
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.audit.trail import NORTH, act, chain, populate


class Line:
    """A command line on the database of the test."""

    def __init__(self, settings: Settings, features: list[Feature], clock: FrozenClock) -> None:
        self._settings, self._features, self._clock = settings, features, clock
        self._app = typer.Typer()
        register_commands(self._app)

    def run(self, work: Any) -> Any:
        """Run an async function with an open runtime, as `CommandLine` does."""

        async def run() -> Any:
            runtime = compose(self._settings, self._features, clock=self._clock)
            async with opened(runtime, follows=False):
                return await work(runtime)

        return anyio.run(run)

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(self._app, ["audit", *words], obj=self)


@pytest.fixture
def line(settings: Settings, features: list[Feature], clock: FrozenClock) -> Line:
    """A trail of three streams, chained and signed."""
    line = Line(settings, features, clock)

    async def prepare(runtime: Runtime) -> None:
        await populate(runtime)
        await chain(runtime)
        clock.advance(timedelta(hours=1))
        await chain(runtime)

    line.run(prepare)
    return line


async def _spoil(runtime: Runtime) -> str:
    from sqlalchemy import select, text

    async with runtime.unit() as unit:
        entry = await unit.session.scalar(select(AuditEntry.id).where(AuditEntry.seq == 5))
        await unit.session.execute(
            text("UPDATE portico_audit_entries SET action = 'test.dreamed' WHERE seq = 5")
        )
    return str(entry)


@pytest.mark.bar("P40", "ASVS-16.4.2")
def test_verify_names_the_first_bad_entry_and_exits_with_one(line: Line) -> None:
    good = line("verify")
    entry = line.run(_spoil)
    bad, as_json = line("verify"), line("verify", "--json")
    elsewhere = line("verify", "--organization", str(NORTH))

    assert (good.exit_code, bad.exit_code, as_json.exit_code, elsewhere.exit_code) == (0, 1, 1, 1)
    assert "✓ 8 entries in 3 streams, 3 checkpoints; 0 wait" in good.stdout
    assert f"✗ entry {entry}, stream {NORTH}, position 2: the entry was changed" in bad.stdout
    told = json.loads(as_json.stdout)
    assert (told["sound"], told["faults"][0]["entry_id"]) == (False, entry)
    assert line("search", "--action", "audit.verification_failed").stdout.count("verification_failed") == 3


def test_an_export_is_verified_by_the_public_key(line: Line, tmp_path: Path) -> None:
    file = tmp_path / "trail.jsonl"
    written = line("export", "--organization", str(NORTH), "--output", str(file))
    again = line("export", "--output", str(file))
    key = line("public-key").stdout.strip()
    good = line("verify", "--file", str(file), "--public-key", key)
    file.write_text(file.read_text().replace("member", "nobody", 1))
    bad = line("verify", "--file", str(file), "--public-key", key)

    assert (written.exit_code, good.exit_code, bad.exit_code) == (0, 0, 1)
    assert again.exit_code != 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert "the entry was changed" in bad.stdout
    assert line("verify", "--file", str(file)).exit_code == 2
    assert "audit.exported" in line("search", "--organization", str(NORTH)).stdout


def test_checkpoints_are_printed_and_held_against_the_trail(line: Line, tmp_path: Path) -> None:
    file = tmp_path / "checkpoints.txt"
    printed = line("checkpoint")
    file.write_text("a line of a log\n" + printed.stdout)
    good = line("verify", "--checkpoint", str(file))
    changed = printed.stdout.splitlines()[0].replace(" 1 3 ", " 1 2 ")
    file.write_text(changed)
    bad = line("verify", "--checkpoint", str(file))
    file.write_text("nothing")

    assert printed.stdout.count("portico-checkpoint v1 ") == 3
    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert "not signed here" in bad.stdout
    assert line("verify", "--checkpoint", str(file)).exit_code == 2


@pytest.mark.bar("ASVS-16.4.1")
def test_search_prints_lines_that_drive_no_terminal(line: Line) -> None:
    line.run(lambda runtime: act(runtime, reason="\x1b[31mred\r\nforged"))
    found = line("search", "--action", "test.", "--limit", "1")

    assert found.stdout.count("\n") == 1
    assert "\x1b" not in found.stdout
    assert "test.acted  success  by" in found.stdout
    assert len(line("search", "--limit", "5").stdout.splitlines()) == 5
    assert line("search", "--request", "nobody's").stdout == "There is no such entry.\n"


def test_prune_tells_how_many(line: Line, clock: FrozenClock) -> None:
    clock.advance(timedelta(days=500))

    assert line("prune").stdout.endswith("Entries deleted: 8\n")
    assert line("prune", "--before", "2020-01-01").stdout == "Entries deleted: 0\n"
