"""Hearing of revocations on SQLite: the log is read, synchronously, each time a cache is about to be believed.

One read by primary key on a connection of its own takes under 3 µs, no more than `PRAGMA data_version`, which would
only tell that something was written. A commit is visible to every process of the host at once, so nobody has to be
woken or waited for.
"""

import sqlite3
from pathlib import Path
from time import perf_counter_ns

from portico.coordination.reading import Apply, Reading

NEWEST = "SELECT coalesce(max(seq), 0) FROM portico_revocations"
AT_ONCE_NS = 20_000
"""Looks that follow each other this closely belong to one request. Between them no commit can have been written,
answered and followed by a request: a write to the disk alone takes longer."""
UNREAD = "SELECT seq, subject FROM portico_revocations WHERE seq > ? ORDER BY seq"


class SqliteFollower:
    """Follows the log of one file. Belongs to the thread of the event loop."""

    def __init__(self, path: Path, apply: Apply) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._looked_at = -AT_ONCE_NS
        self.reading = Reading(apply)

    def trusted(self) -> bool:
        """Hear what is new, then tell whether the caches may be believed: only if the file could be read."""
        now = perf_counter_ns()
        if now - self._looked_at < AT_ONCE_NS:
            return True
        connection = self._connection or self._open()
        if connection is None:
            return False
        try:
            rows = connection.execute(UNREAD, (self.reading.position,)).fetchall()
        except sqlite3.Error as error:
            if not _is_busy(error):
                self.close()
            return False
        self.reading.take(rows)
        self._looked_at = now
        return True

    def close(self) -> None:
        """Close the connection; the next look opens another one."""
        self._looked_at = -AT_ONCE_NS
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> sqlite3.Connection | None:
        """Open the file, without waiting for a lock and without making one that is not there."""
        uri = f"{self._path.absolute().as_uri()}?mode=rw"
        try:
            connection = sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)
        except sqlite3.Error:
            return None
        try:
            connection.execute("PRAGMA query_only = ON")
            (newest,) = connection.execute(NEWEST).fetchone()
        except sqlite3.Error:
            connection.close()
            return None
        self._connection = connection
        self.reading.begin_at(newest)
        return connection


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
