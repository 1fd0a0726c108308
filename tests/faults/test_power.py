"""Power failure (P2): what was acknowledged is on the disk, and the file is sound, whatever the disk forgot."""

import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from portico.composition import compose, migrator_of, opened
from portico.core.settings import Settings
from portico.credentials.services import Registration
from portico.feature import Feature
from portico.runtime import Runtime
from tests.credentials.acts import wish
from tests.faults.power import Disk, forgetful_disk, sqlite_library
from tests.integration.ground import SCALE
from tests.sessions.people import FAST_HASHES

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

PEOPLE = 12 * SCALE
CRASHES = 150 * SCALE


@pytest.fixture
def features() -> list[Feature]:
    from portico.app import default_features

    return default_features()


async def lived_through(tmp_path: Path, features: list[Feature], prepare: Any = None) -> Disk:
    """Sign people up on a disk that keeps a log, checkpoints of the write-ahead log included."""
    library = sqlite_library()
    if library is None:
        pytest.skip("this interpreter shows nothing of its SQLite")
    settings = Settings(
        environment="test",
        data_dir=tmp_path,
        database={"url": f"sqlite:///{tmp_path}/portico.db"},
        credentials=FAST_HASHES,
    )
    with forgetful_disk(library) as disk:
        await migrator_of(settings, features).upgrade()
        composed = compose(settings, features)
        if prepare is not None:
            prepare(composed)
        async with opened(composed, follows=False) as runtime:
            for number in range(PEOPLE):
                address = f"person{number}@example.com"
                await Registration(runtime, runtime.unit()).register(wish(address))
                disk.acknowledge(address)
                if number % 4 == 3:
                    await _checkpoint(runtime)
    return disk


async def _checkpoint(runtime: Runtime) -> None:
    async with runtime.database.writer.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        await raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def losses(disk: Disk, folder: Path) -> list[str]:
    """Let the power fail at moments spread over the log, start again each time, and return what is wrong."""
    chance = random.Random(11)
    first = next(
        place for place, each in enumerate(disk.moments) if each.__class__.__name__ == "Acknowledged"
    )
    faults = []
    for crash in range(CRASHES):
        moment = chance.randrange(first + 1, len(disk.moments) + 1)
        left = folder / f"crash-{crash}"
        left.mkdir()
        for name, content in disk.survivors(moment, chance).items():
            (left / name).write_bytes(content)
        faults += _faults(left / "portico.db", disk.acknowledged_before(moment))
    return faults


def _faults(path: Path, acknowledged: list[str]) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        state = connection.execute("PRAGMA integrity_check").fetchone()[0]
        kept = {row[0] for row in connection.execute("SELECT address FROM portico_email_addresses")}
        (events,) = connection.execute("SELECT count(*) FROM portico_outbox").fetchone()
        (mails,) = connection.execute("SELECT count(*) FROM portico_mail_messages").fetchone()
        (jobs,) = connection.execute("SELECT count(*) FROM portico_jobs").fetchone()
    except sqlite3.DatabaseError as error:
        return [f"unreadable: {error}"]
    finally:
        connection.close()
    faults = [] if state == "ok" else [f"not sound: {state}"]
    faults += [f"lost: {address}" for address in acknowledged if address not in kept]
    if not (events == 2 * len(kept) and mails == jobs == len(kept)):
        faults.append(f"{len(kept)} people, {events} events, {mails} mails, {jobs} jobs")
    return faults


@pytest.mark.bar("P2", "P3")
async def test_power_failure_loses_nothing_that_was_acknowledged(
    tmp_path: Path, features: list[Feature]
) -> None:
    disk = await lived_through(tmp_path / "live", features)

    assert losses(disk, tmp_path) == []


async def test_a_commit_that_waits_for_no_disk_would_be_caught(
    tmp_path: Path, features: list[Feature]
) -> None:
    def trust_the_disk(runtime: Runtime) -> None:
        def unsafe(connection: Any, _record: Any) -> None:
            connection.cursor().execute("PRAGMA synchronous = NORMAL")

        event.listen(runtime.database.writer.sync_engine, "connect", unsafe)

    disk = await lived_through(tmp_path / "live", features, trust_the_disk)

    assert any(fault.startswith("lost: ") for fault in losses(disk, tmp_path))
