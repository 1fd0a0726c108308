"""An export can be read elsewhere, verified by the public key alone, and opened in a spreadsheet without harm."""

import csv
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from portico.audit.checkpoints import CheckpointKey, CheckpointReader, find_checkpoint
from portico.audit.services.exporting import Export, Stretch
from portico.audit.services.verifying_exports import verify_lines
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.audit.trail import NORTH, act, chain, populate

pytestmark = pytest.mark.anyio


def public_of(runtime: Runtime) -> CheckpointReader:
    return CheckpointReader.of_text(str(CheckpointKey(runtime.secret).public))


async def lines_of(runtime: Runtime, *, with_personal: bool = True, **stretch: Any) -> list[str]:
    made = Export(runtime, Stretch(**stretch), with_personal=with_personal)
    return [line async for line in made.json_lines()]


async def test_an_export_verifies_by_the_public_key_alone(runtime: Runtime) -> None:
    await populate(runtime)
    await chain(runtime)
    whole = await lines_of(runtime)
    north = await lines_of(runtime, organization_id=NORTH, is_everything=False)

    verdicts = [verify_lines(lines, public_of(runtime)) for lines in (whole, north)]

    assert [(each.faults, each.entries, each.streams) for each in verdicts] == [([], 8, 3), ([], 3, 1)]
    facts = json.loads(north[1])
    assert facts["entry"]["changes"] == {"role": ["member", "admin"]}
    assert facts["personal"]["fields"]["email"] == "ada@example.org"


async def test_a_stretch_between_two_moments_verifies(runtime: Runtime, clock: FrozenClock) -> None:
    for _ in range(4):
        await act(runtime)
        clock.advance(timedelta(days=1))
    await chain(runtime)
    now = clock.now()

    lines = await lines_of(runtime, since=now - timedelta(days=3), until=now - timedelta(days=1))

    assert [json.loads(line)["position"] for line in lines[1:-1]] == [2, 3]
    assert verify_lines(lines, public_of(runtime)).is_sound


async def test_personal_fields_can_be_left_out_and_the_proof_holds(runtime: Runtime) -> None:
    await populate(runtime)
    await chain(runtime)
    lines = await lines_of(runtime, with_personal=False)

    assert "ada@example.org" not in "".join(lines)
    assert verify_lines(lines, public_of(runtime)).is_sound


def damaged(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the export with one thing wrong."""
    yield "nothing", []
    yield "no end", lines[:-1]
    yield "no entry", [lines[0], lines[-1]]
    for at in range(1, len(lines) - 1):
        yield f"line {at} is gone", lines[:at] + lines[at + 1 :]
    yield "swapped", [lines[0], lines[2], lines[1], *lines[3:]]
    yield "twice", [*lines[:2], *lines[1:]]
    for at, line in enumerate(lines[1:], 1):
        for place in range(0, len(line) - 1, 3):
            if line[place] not in ' {}":,':
                changed = chr(ord(line[place]) ^ 1)
                yield (
                    f"line {at}, {place}",
                    [*lines[:at], line[:place] + changed + line[place + 1 :], *lines[at + 1 :]],
                )


@pytest.mark.bar("P40", "ASVS-16.4.2")
async def test_whatever_is_wrong_with_an_export_is_found(runtime: Runtime) -> None:
    await act(runtime, 3, organization_id=NORTH, changes={"role": ("a", "b")}, personal={"email": "x@y.z"})
    await chain(runtime)
    lines = await lines_of(runtime, organization_id=NORTH, is_everything=False)
    public = public_of(runtime)

    missed = [what for what, wrong in damaged(lines) if verify_lines(wrong, public).is_sound]

    assert verify_lines(lines, public).is_sound
    assert missed == []


async def test_another_key_proves_nothing(runtime: Runtime) -> None:
    from portico.core.crypto import RootSecret

    await act(runtime)
    await chain(runtime)
    other = CheckpointKey(RootSecret(b"another root secret than that of here")).public

    assert not verify_lines(await lines_of(runtime), other).is_sound


async def test_a_checkpoint_is_found_in_a_line_of_a_log(runtime: Runtime, clock: FrozenClock) -> None:
    await act(runtime)
    await chain(runtime)
    clock.advance(timedelta(hours=1))
    with capture_logs() as entries:
        await chain(runtime)
    logged = [find_checkpoint(" ".join(map(str, entry.values()))) for entry in entries]

    [checkpoint] = [each for each in logged if each]
    assert public_of(runtime).is_good(checkpoint)


@pytest.mark.bar("ASVS-1.2.10")
@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\0"])
async def test_no_cell_is_a_formula(runtime: Runtime, start: str) -> None:
    if start == "\0" and not runtime.database.is_sqlite:
        pytest.skip("PostgreSQL knows no NUL")
    await act(runtime, reason=f"{start}cmd|' /C calc'!A0")
    await chain(runtime)
    text = "".join([line async for line in Export(runtime, Stretch()).csv_lines()])

    header, row = csv.reader(text.splitlines(keepends=True), strict=True)
    assert row[header.index("reason")] == f"'{start}cmd|' /C calc'!A0"
    assert row[header.index("action")] == "test.acted"
