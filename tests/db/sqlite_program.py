"""A process that writes to a SQLite file, for test_sqlite_storage.py: `sqlite_program.py <url> <name> <writes>`.

It prints how many writes were acknowledged and what the others were refused with. With `--limited` its files may not
grow after a while, and at the end may again.
"""

import asyncio
import json
import resource
import sys
from pathlib import Path

from sqlalchemy import text

from portico.core.errors import PorticoError
from portico.core.settings import Environment, Settings
from portico.db.database import Database
from portico.db.unit import Unit

MARK = "INSERT INTO portico_revocations (subject, created_at) VALUES (:s, '2026-01-01 00:00:00.000000')"
LONG = "x" * 100


async def write(database: Database, subject: str) -> str:
    """Write a row; return `written`, or what it was refused with."""
    try:
        async with (unit := Unit(database)):
            await unit.session.execute(text(MARK), {"s": subject})
    except PorticoError as error:
        return type(error).__name__
    except Exception as error:  # noqa: BLE001 - what a client must not get
        return repr(error)
    return "written"


def limit_files(url: str) -> None:
    """Let no file grow beyond the log's present size and a little more."""
    log = Path(url.removeprefix("sqlite:///") + "-wal").stat().st_size
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log + 40_000, hard))


async def main(url: str, name: str, writes: int, *, is_limited: bool) -> None:
    """Write and tell."""
    settings = Settings(environment=Environment.TEST, data_dir=Path("nowhere"), database={"url": url})
    database = Database.from_settings(settings)
    outcomes = []
    for number in range(writes):
        if is_limited and number == 10:
            limit_files(url)
        outcomes.append(await write(database, f"{name} {number} {LONG}"[:100]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.getrlimit(resource.RLIMIT_FSIZE)[1],) * 2)
    told = {"written": outcomes.count("written"), "failed": [each for each in outcomes if each != "written"]}
    if is_limited:
        told["after"] = await write(database, "after")
    await database.close()
    print(json.dumps(told))  # noqa: T201 - how it talks to the test


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), is_limited="--limited" in sys.argv))
