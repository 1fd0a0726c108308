"""SQLite under bad conditions: locked by others, written by many, torn, on a full disk.

`PORTICO_TEST_SCALE` multiplies the writes; 20 is the full run (RELIABILITY_BAR P23).
"""

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from portico.core.settings import Settings
from portico.db.database import Database
from portico.db.unit import Unit
from portico.feature import Feature
from portico.runtime import Runtime
from portico.testing.people import PASSWORD
from tests.sessions.people import FAST_HASHES

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_kind", ["sqlite"])]

PROGRAM = Path(__file__).with_name("sqlite_program.py")
SCALE = int(os.environ.get("PORTICO_TEST_SCALE", "1"))
WRITERS, WRITES = 8, 50 * SCALE
MARK = "INSERT INTO portico_revocations (subject, created_at) VALUES (:s, '2026-01-01 00:00:00.000000')"
EXCLUSIVE = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("COMMIT")
"""


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": FAST_HASHES}


def file_of(url: str) -> str:
    return url.removeprefix("sqlite:///")


def registration(number: int) -> dict[str, str]:
    return {"email": f"ada{number}@example.org", "password": PASSWORD}


@pytest.mark.bar("P23")
async def test_file_held_by_another_process_is_a_503_and_reads_go_on(
    client: httpx2.AsyncClient, empty_database: str
) -> None:
    command = [sys.executable, "-c", EXCLUSIVE, file_of(empty_database), "6.5"]
    holder = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    await holder.stdout.readline()
    started = time.monotonic()
    writing = asyncio.create_task(client.post("/api/v1/auth/register", json=registration(1)))
    ready = (await client.get("/health/ready")).status_code
    read_after = time.monotonic() - started
    refused = await writing
    seconds = time.monotonic() - started
    await holder.wait()
    done = await client.post("/api/v1/auth/register", json=registration(1))

    assert (ready, read_after < 1.5) == (200, True)
    assert (refused.status_code, refused.json()["code"]) == (503, "database_busy")
    assert refused.headers["retry-after"]
    assert seconds < 6
    assert done.status_code == 201


@pytest.mark.bar("P23")
@pytest.mark.timeout(600)
async def test_many_processes_write_and_nobody_is_told_of_a_lock(empty_database: str) -> None:
    programs = [
        await asyncio.create_subprocess_exec(
            sys.executable, str(PROGRAM), empty_database, str(number), str(WRITES), stdout=subprocess.PIPE
        )
        for number in range(WRITERS)
    ]
    told = [json.loads((await program.communicate())[0]) for program in programs]

    assert [each["failed"] for each in told] == [[]] * WRITERS
    with sqlite3.connect(file_of(empty_database)) as connection:
        (stored,) = connection.execute("SELECT count(*) FROM portico_revocations").fetchone()
    connection.close()
    assert stored == WRITERS * WRITES


class TestTornLog:
    """A write-ahead log that was cut anywhere."""

    @pytest.fixture
    def features(self) -> Sequence[Feature]:
        return ()

    @pytest.mark.bar("P23")
    async def test_every_cut_opens_with_a_prefix_of_what_was_acknowledged(
        self, settings: Settings, empty_database: str, tmp_path: Path
    ) -> None:
        commits = 12
        database = Database.from_settings(settings)
        for number in range(commits):
            async with (unit := Unit(database)):
                await unit.session.execute(text(MARK), {"s": f"{number}"})
        source = Path(file_of(empty_database))
        log = source.with_name(source.name + "-wal").read_bytes()
        image = tmp_path / "image.db"
        shutil.copyfile(source, image)
        await database.close()

        whole = [str(number) for number in range(commits)]
        found = [self.opened(image, log[:size], tmp_path) for size in [*range(0, len(log), 512), len(log)]]
        assert all(rows == whole[: len(rows)] for rows in found)
        assert [len(rows) for rows in found] == sorted(len(rows) for rows in found)
        assert (found[0], found[-1]) == ([], whole)

    def opened(self, image: Path, log: bytes, folder: Path) -> list[str]:
        """Open a copy of the database with such a log; return the subjects that are there."""
        copy = folder / "copy.db"
        for path in folder.glob("copy.db*"):
            path.unlink()
        shutil.copyfile(image, copy)
        copy.with_name("copy.db-wal").write_bytes(log)
        connection = sqlite3.connect(copy)
        try:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows = connection.execute("SELECT subject FROM portico_revocations ORDER BY seq").fetchall()
        finally:
            connection.close()
        return [subject for (subject,) in rows]


@pytest.mark.bar("P17")
async def test_full_database_is_a_503_and_takes_writes_again_when_there_is_room(
    client: httpx2.AsyncClient, runtime: Runtime
) -> None:
    limit = "PRAGMA max_page_count = "
    first = await client.post("/api/v1/auth/register", json=registration(0))
    async with (unit := runtime.unit()):
        pages = (await unit.session.execute(text("PRAGMA page_count"))).scalar_one()
        await unit.session.execute(text(f"{limit}{pages + 4}"))
    answers = [
        await client.post("/api/v1/auth/register", json=registration(number)) for number in range(1, 12)
    ]
    reads = await client.get("/health/ready")
    async with (unit := runtime.unit()):
        await unit.session.execute(text(f"{limit}1000000"))
    after = await client.post("/api/v1/auth/register", json=registration(99))
    async with runtime.reads() as session:
        people = (await session.execute(text("SELECT count(*) FROM portico_users"))).scalar_one()
        sound = (await session.execute(text("PRAGMA integrity_check"))).scalar_one()

    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {201, 503}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 503} == {"database_full"}
    assert (first.status_code, reads.status_code, after.status_code, sound) == (201, 200, 201, "ok")
    assert people == 2 + statuses.count(201)


@pytest.mark.bar("P17")
async def test_file_that_may_not_grow_loses_nothing_that_was_acknowledged(empty_database: str) -> None:
    """As with a full disk, the write itself fails, in a process of its own whose files may not grow any more."""
    command = [sys.executable, str(PROGRAM), empty_database, "0", "400", "--limited"]
    run = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    told = json.loads(run.stdout)

    assert set(told["failed"]) <= {"DatabaseFull", "DatabaseAway", "DatabaseBusy"}
    assert told["failed"], "the limit was never met"
    assert told["after"] == "written"
    with sqlite3.connect(file_of(empty_database)) as connection:
        (stored,) = connection.execute("SELECT count(*) FROM portico_revocations").fetchone()
        sound = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    assert sound == ("ok",)
    assert stored == told["written"] + 1
