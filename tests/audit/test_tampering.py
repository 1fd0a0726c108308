"""ASVS 16.4.2, P40: whatever is changed, deleted, added or put elsewhere is found, and the entry is named."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table, select, text, type_coerce
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import NullType

from portico.audit.models import (
    AuditCheckpoint,
    AuditEntry,
    AuditHead,
    AuditLink,
    AuditPersonal,
    AuditSequencer,
)
from portico.audit.repositories import ChainReader
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.audit.trail import NORTH, SOUTH, act, act_in_full, chain, verdict

pytestmark = [pytest.mark.anyio, pytest.mark.bar("P40", "ASVS-16.4.2")]

TABLES: tuple[Any, ...] = (
    AuditEntry,
    AuditLink,
    AuditPersonal,
    AuditCheckpoint,
    AuditHead,
    AuditSequencer,
)


def edits(value: Any) -> Iterator[Any]:
    """Yield the value with each of its bytes changed in turn, or something in the place of nothing."""
    if value is None:
        yield from ("x", b"x", 1, UUID(int=7))
    elif isinstance(value, bytes):
        yield from (value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :] for at in range(len(value)))
        yield value + b"\0"
        yield None
    elif isinstance(value, str):
        # Another case where there is one: `A` and `a` are the same to whoever reads an id, and not the same byte.
        flipped = [chr(ord(letter) ^ (32 if letter.isalpha() else 1)) for letter in value]
        yield from (value[:at] + flipped[at] + value[at + 1 :] for at in range(len(value)))
        yield value + " "
    elif isinstance(value, UUID):
        yield from (UUID(int=value.int ^ (1 << 8 * byte)) for byte in range(16))
    elif isinstance(value, datetime):
        yield from (value + timedelta(microseconds=256**byte) for byte in range(6))
    else:
        yield from (value ^ (1 << 8 * byte) for byte in range(2 if value < 32_768 else 6))


class Attacker:
    """Somebody with the database in his hands, and without the root secret."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._file: sqlite3.Connection | None = None
        if path := runtime.database.path:
            self._file = sqlite3.connect(path, isolation_level=None)
            self._file.execute("PRAGMA synchronous = OFF")

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    async def rows(self, model: Any) -> list[dict[str, Any]]:
        """Return rows as they are stored."""
        table: Table = model.__table__
        columns = [type_coerce(column, NullType()).label(column.name) for column in table.columns]
        async with self._runtime.reads() as session:
            found = await session.execute(select(*columns).order_by(*table.primary_key.columns))
            return [dict(row) for row in found.mappings()]

    async def put(self, model: Any, key: dict[str, Any], column: str, value: Any) -> bool:
        """Change a cell; False if the database does not let him."""
        names = list(key)
        where = " AND ".join(f"{name} = :key_{name}" for name in names)
        statement = f"UPDATE {model.__table__.name} SET {column} = :value WHERE {where}"
        bound = {"value": value} | {f"key_{name}": key[name] for name in names}
        try:
            return await self._change(statement, bound) == 1
        except (sqlite3.Error, DBAPIError):  # a constraint, or no value of the column's type
            return False

    async def _change(self, statement: str, bound: dict[str, Any]) -> int:
        if self._file is not None:
            return self._file.execute(statement, bound).rowcount
        async with self._runtime.unit() as unit:
            changed: Any = await unit.session.execute(text(statement), bound)
        return int(changed.rowcount)

    async def change(self, statement: str, **bound: Any) -> int:
        """Run a statement; return how many rows it changed."""
        return await self._change(statement, bound)


def key_of(model: Any, row: dict[str, Any]) -> dict[str, Any]:
    return {column.name: row[column.name] for column in model.__table__.primary_key.columns}


@pytest.fixture
async def attacker(runtime: Runtime, clock: FrozenClock) -> AsyncIterator[Attacker]:
    """A trail of two streams, chained and signed, with an entry that uses every column but one."""
    await act(runtime)
    await act_in_full(runtime, organization_id=NORTH)
    await chain(runtime)
    clock.advance(timedelta(hours=1))
    await chain(runtime)
    assert (await verdict(runtime)).is_sound
    attacker = Attacker(runtime)
    yield attacker
    attacker.close()


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.table)
async def test_every_changed_byte_is_found(runtime: Runtime, attacker: Attacker, model: Any) -> None:
    """One row of each table, whole: every column, every byte of it."""
    rows = await attacker.rows(model)
    row = next((row for row in rows if row.get("organization_id") or row.get("stream")), rows[-1])
    missed, tried = [], 0
    for column, value in row.items():
        for changed in edits(value):
            key = key_of(model, row)
            if not await attacker.put(model, key, column, changed):
                continue
            tried += 1
            if (await verdict(runtime)).is_sound:
                missed.append((column, value, changed))
            if column in key:
                key[column] = changed
            assert await attacker.put(model, key, column, value)

    assert missed == []
    assert tried > 40
    assert (await verdict(runtime)).is_sound


@pytest.mark.parametrize("column", ["action", "actor_id", "details", "at", "mac", "seq"])
async def test_the_first_bad_entry_is_named(runtime: Runtime, attacker: Attacker, column: str) -> None:
    await act(runtime, 5, organization_id=SOUTH)
    await chain(runtime)
    rows = [
        row for row in await attacker.rows(AuditEntry) if row["organization_id"] == raw_id(runtime, SOUTH)
    ]
    for row in rows[2:4]:
        changed = list(edits(row[column]))[3 if column != "seq" else 1]
        assert await attacker.put(AuditEntry, key_of(AuditEntry, row), column, changed)

    found = await verdict(runtime)

    assert [fault.entry_id and raw_id(runtime, fault.entry_id) for fault in found.faults] == [
        row["id"] for row in rows[2:4]
    ]
    assert (found.faults[0].stream, found.faults[0].position) == (SOUTH, 3)


def raw_id(runtime: Runtime, id_: UUID) -> Any:
    return id_.hex if runtime.database.is_sqlite else id_


ENTRIES = "portico_audit_entries"
ATTACKS = {
    "an entry is deleted": ("DELETE FROM portico_audit_entries WHERE seq = 4",),
    "an entry is deleted with its link": (
        "DELETE FROM portico_audit_entries WHERE seq = 4",
        "DELETE FROM portico_audit_links WHERE seq = 4",
    ),
    "the newest is deleted with its link": (
        "DELETE FROM portico_audit_entries WHERE seq = 7",
        "DELETE FROM portico_audit_links WHERE seq = 7",
    ),
    "two swap their numbers": (
        "UPDATE portico_audit_entries SET seq = -4 WHERE seq = 4",
        "UPDATE portico_audit_entries SET seq = 4 WHERE seq = 5",
        "UPDATE portico_audit_entries SET seq = 5 WHERE seq = -4",
    ),
    "two swap their places": (
        "UPDATE portico_audit_links SET position = 0 WHERE seq = 4",
        "UPDATE portico_audit_links SET position = 2 WHERE seq = 5",
        "UPDATE portico_audit_links SET position = 3 WHERE seq = 4",
    ),
    "a link is deleted": ("DELETE FROM portico_audit_links WHERE seq = 5",),
    "an organization is wiped": (
        "DELETE FROM portico_audit_entries WHERE organization_id IS NOT NULL",
        "DELETE FROM portico_audit_personal",
        "DELETE FROM portico_audit_links WHERE seq > 1",
        "DELETE FROM portico_audit_heads WHERE stream NOT IN (SELECT stream FROM portico_audit_links)",
        "DELETE FROM portico_audit_checkpoints WHERE stream NOT IN (SELECT stream FROM portico_audit_links)",
    ),
    "all is wiped but the state": (
        "DELETE FROM portico_audit_entries",
        "DELETE FROM portico_audit_personal",
        "DELETE FROM portico_audit_links",
        "DELETE FROM portico_audit_heads",
        "DELETE FROM portico_audit_checkpoints",
    ),
    "the beginning is cut off": (
        "DELETE FROM portico_audit_entries WHERE seq = 3",
        "DELETE FROM portico_audit_links WHERE seq = 3",
    ),
    "personal fields are given to another": (
        "DELETE FROM portico_audit_personal WHERE entry_id = (SELECT id FROM portico_audit_entries WHERE seq = 4)",
        (
            "UPDATE portico_audit_personal SET entry_id = (SELECT id FROM portico_audit_entries WHERE seq = 4)"
            " WHERE entry_id = (SELECT id FROM portico_audit_entries WHERE seq = 5)"
        ),
    ),
    "an entry is moved to another organization": (
        "UPDATE portico_audit_entries SET organization_id = NULL WHERE seq = 4",
    ),
    "an entry is made out of another": (
        (
            "INSERT INTO portico_audit_entries (id, at, action, outcome, details, format, key_version)"
            " SELECT stream, at, action, outcome, details, 0, 0 FROM portico_audit_entries"
            " JOIN portico_audit_heads ON position > 3 WHERE portico_audit_entries.seq = 1"
        ),
    ),
    "checkpoints are deleted": ("DELETE FROM portico_audit_checkpoints",),
    "the sequencer forgets": ("UPDATE portico_audit_sequencer SET watermark = 0",),
    "the sequencer is gone": ("DELETE FROM portico_audit_sequencer",),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_deleting_adding_and_moving_is_found(runtime: Runtime, attacker: Attacker, attack: str) -> None:
    """Seven entries: two from before, five of an organization on top."""
    await act(runtime, 5, organization_id=SOUTH)
    await chain(runtime)
    for statement in ATTACKS[attack]:
        assert await attacker.change(statement) > 0

    assert not (await verdict(runtime)).is_sound


async def test_a_truncated_chain_is_found_by_a_checkpoint_from_elsewhere(
    runtime: Runtime, attacker: Attacker, clock: FrozenClock
) -> None:
    """Whoever has an old copy of the whole database can put it back; what was written elsewhere tells."""
    before = {model: await attacker.rows(model) for model in TABLES}
    await act(runtime, 5)
    await chain(runtime)
    clock.advance(timedelta(hours=1))
    await chain(runtime)
    async with runtime.reads() as session:
        kept = await ChainReader(session).newest_checkpoints(None, 10)
    for model, rows in before.items():
        table = model.__table__
        await attacker.change(f"DELETE FROM {table.name}")
        names = ", ".join(rows[0])
        for row in rows:
            values = ", ".join(f":{name}" for name in row)
            await attacker.change(f"INSERT INTO {table.name} ({names}) VALUES ({values})", **row)

    assert [fault.what for fault in (await verdict(runtime)).faults] in (
        [],
        [
            "5 of the newest entries were deleted before they were chained"
        ],  # SQLite's own count was not put back
    )
    told = [fault.what for fault in (await verdict(runtime, known=kept)).faults]
    assert "the chain is shorter than the given checkpoint" in told


async def test_an_entry_forged_without_the_secret_is_found_when_it_is_chained(
    runtime: Runtime, attacker: Attacker
) -> None:
    await attacker.change(
        "INSERT INTO portico_audit_entries (id, at, action, outcome, details, format, key_version, mac)"
        " SELECT stream, at, action, outcome, details, format, key_version, portico_audit_entries.mac"
        " FROM portico_audit_entries JOIN portico_audit_heads ON organization_id = stream"
        " WHERE action = 'test.acted'"
    )
    await chain(runtime)

    found = await verdict(runtime)
    told = [row["action"] for row in await attacker.rows(AuditEntry)]

    assert [fault.what for fault in found.faults] == ["the entry was changed"]
    assert told[-1] == "audit.forgery_found"


async def test_what_waits_for_its_link_is_verified_too(runtime: Runtime, attacker: Attacker) -> None:
    await act(runtime, 2)
    assert (await verdict(runtime)).waiting == 2
    await attacker.change("UPDATE portico_audit_entries SET action = 'test.dreamed' WHERE seq = 4")

    assert [fault.what for fault in (await verdict(runtime)).faults] == ["the entry was changed"]


async def test_personal_fields_may_be_erased_and_nothing_else(runtime: Runtime, attacker: Attacker) -> None:
    await attacker.change("DELETE FROM portico_audit_personal")

    found = await verdict(runtime)

    assert (found.is_sound, found.erased) == (True, 2)
