"""What the adapter of SQLite does besides saving calls."""

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from portico.db.sqlite_driver import OneCallDriver

opened: list[sqlite3.Connection] = []
may_open = threading.Event()


class Slow(sqlite3.Connection):
    """A connection that is open when the test says so."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        may_open.wait(5)
        super().__init__(*args, **kwargs)
        opened.append(self)


async def test_connection_whose_asker_is_cancelled_is_closed(tmp_path: Path) -> None:
    opened.clear()
    may_open.clear()
    url = f"sqlite+aiosqlite:///{tmp_path / 'some.db'}"
    engine = create_async_engine(url, module=OneCallDriver(), connect_args={"factory": Slow})
    asker = asyncio.create_task(_use(engine))
    await asyncio.sleep(0.05)

    asker.cancel()
    await asyncio.wait([asker])
    may_open.set()
    await _until_closed()

    assert asker.cancelled()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")
    await engine.dispose()


async def _use(engine: Any) -> None:
    async with engine.connect():
        pass


async def _until_closed() -> None:
    for _ in range(100):
        await asyncio.sleep(0.02)
        if opened and not _is_open(opened[0]):
            return


def _is_open(connection: sqlite3.Connection) -> bool:
    try:
        connection.total_changes  # noqa: B018
    except sqlite3.ProgrammingError:
        return False
    return True
