"""The revocation log: how "logged out" becomes true in every process before it is said.

A unit of work that ends a session, disables a person or changes a right appends the subject (`session:<id>`,
`user:<id>`, `key:<kid>`) in its own transaction. Caches subscribe and believe what they hold only while `trusted()`.
When the request that revoked is answered, no process can still answer from a cache that holds the subject: on SQLite
each looks into the log before it believes (`sqlite_follower`), on PostgreSQL the request waits until each has
confirmed or has stopped believing (`postgres_follower`, `confirmations`).

`epoch` closes the race between loading and revoking; `cache.BoundedCache` follows the recipe:

1. take `epoch`, 2. load from the database, 3. keep the result only if `epoch` is still the same,
4. answer from what is kept only while `trusted()`; otherwise load.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

import structlog

from portico.coordination.confirmations import Confirmations
from portico.coordination.postgres_follower import PostgresFollower
from portico.coordination.reading import EVERYTHING
from portico.coordination.repositories import RevocationRepository
from portico.coordination.sqlite_follower import SqliteFollower
from portico.coordination.wakeups import REVOCATIONS, Wakeups
from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.runtime import Runtime

__all__ = ["EVERYTHING", "RevocationLog", "Subscriber"]

log = structlog.get_logger("portico.coordination")

TRIM_EVERY: Final = timedelta(minutes=10)

type Subscriber = Callable[[Sequence[str]], None]
"""Forgets the subjects, all of them for `["*"]`; called in the event loop, must be quick and must not raise."""


class RevocationLog:
    """One a process. Without its `lifespan` (command line) it appends and waits for others, and trusts nothing."""

    def __init__(self, runtime: Runtime, wakeups: Wakeups) -> None:
        self._runtime = runtime
        self._wakeups = wakeups
        self._is_sqlite = runtime.database.is_sqlite
        self._follower: PostgresFollower | SqliteFollower | None = None
        self._subscribers: list[Subscriber] = []
        self._appended: WeakKeyDictionary[Unit, _Appended] = WeakKeyDictionary()
        self._id = new_id()
        self._others = Confirmations(runtime.reads, self._id, self._announce)
        self.epoch = 0
        """Rises whenever subjects are revoked, before any subscriber hears of it."""

    def subscribe(self, callback: Subscriber) -> None:
        """Call `callback` with the subjects that are no longer to be believed, here or anywhere."""
        self._subscribers.append(callback)

    @property
    def is_followed(self) -> bool:
        """Tell whether this process follows the log at all; the command line does not."""
        return self._follower is not None

    def trusted(self) -> bool:
        """Tell whether caches may be believed now; on SQLite this is also when they hear what is new.

        Ask it right before each answer from a cache, in the event loop, with no `await` in between.
        """
        return self._follower is not None and self._follower.trusted()

    async def append(self, unit: Unit, subjects: Sequence[str]) -> None:
        """Revoke `subjects` with the commit of `unit`, which must be open.

        The rows are written as the last thing in the transaction; after the commit the caches of this process forget,
        and whoever leaves the unit waits, holding no connection, until those of all others have forgotten.

        Raises:
            RuntimeError: the unit is not open.
        """
        if not unit.is_open:
            raise RuntimeError("append to the revocation log inside `async with unit:`")
        if not subjects:
            return
        appended = self._appended.get(unit)
        if appended is None:
            appended = self._appended[unit] = _Appended()
            unit.before_commit(lambda: self._write(unit, appended))
            unit.after_commit(lambda: self._tell(appended))
        appended.subjects.update(dict.fromkeys(subjects))

    async def trim(self) -> None:
        """Delete rows that are older than an hour and read by every worker, and workers that are long dead."""
        unit = self._runtime.unit()
        async with unit:
            repository = RevocationRepository(unit.session)
            if not self._is_sqlite:
                await repository.forget_dead_workers()
            await repository.trim(self._runtime.clock.now())

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Follow the log: caches of this process may be believed from now on."""
        trimming = asyncio.create_task(self._trim_forever(), name="revocations-trim")
        try:
            async with self._following():
                yield
        finally:
            self._follower = None
            trimming.cancel()
            await asyncio.gather(trimming, return_exceptions=True)

    @asynccontextmanager
    async def _following(self) -> AsyncIterator[None]:
        database = self._runtime.database
        if self._is_sqlite:
            nowhere = Path(":memory:")  # cannot be followed, so nothing is trusted
            self._follower = follower = SqliteFollower(database.path or nowhere, self._apply)
            with closing(follower):
                follower.trusted()
                yield
            return
        self._follower = worker = PostgresFollower(
            self._id, database.url, self._runtime.clock, self._apply, self._wakeups
        )
        self._wakeups.send_by(worker)
        self._wakeups.listen(REVOCATIONS, worker.wake)
        await worker.start()
        try:
            yield
        finally:
            await worker.stop()

    async def _write(self, unit: Unit, appended: "_Appended") -> None:
        repository = RevocationRepository(unit.session)
        if not self._is_sqlite:
            await repository.lock()
        appended.seqs = await repository.append(list(appended.subjects), self._runtime.clock.now())

    async def _tell(self, appended: "_Appended") -> None:
        self._apply(list(appended.subjects))
        if self._follower is not None:
            self._follower.reading.note_own(appended.seqs)
        if not self._is_sqlite:
            await self._others.wait(max(appended.seqs))

    def _apply(self, subjects: Sequence[str]) -> None:
        """Make every subscriber forget, also when one fails; then let the failure be known, for nothing is sure."""
        self.epoch += 1
        failures = []
        for subscriber in self._subscribers:
            try:
                subscriber(subjects)
            except Exception as error:  # noqa: BLE001 - raised below, after the others were told
                failures.append(error)
        if failures:
            raise ExceptionGroup("a cache could not forget what was revoked", failures)

    def _announce(self) -> None:
        """Wake the workers of other processes; they would wake by themselves within a second."""
        self._wakeups.carry(REVOCATIONS)

    async def _trim_forever(self) -> None:
        while True:
            await asyncio.sleep(TRIM_EVERY.total_seconds())
            try:
                await self.trim()
            except Exception as error:  # noqa: BLE001 - recorded, and tried again at the next turn
                log.warning("revocations_not_trimmed", error=repr(error))


class _Appended:
    """What one unit of work revokes: subjects in order, each once, and the numbers of their rows."""

    __slots__ = ("__weakref__", "seqs", "subjects")

    def __init__(self) -> None:
        self.subjects: dict[str, None] = {}
        self.seqs: list[int] = []
