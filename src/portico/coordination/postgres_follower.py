"""Hearing of revocations and wake-ups on PostgreSQL: a connection of its own that listens, reads, and keeps a lease.

Why a stale yes is impossible. Three facts hold at any time:

1. This process believes its caches until 2.5 s after the *start* of its last successful read, by its own monotonic
   clock, and only if the database confirmed, after that read, that its lease had not run out meanwhile.
2. The lease that others see is written after that start and lasts longer (3 s by the database's clock), so it covers
   the belief. Whoever commits a revocation and then looks finds the lease alive and our position before his row, and
   waits; or he finds it run out, and then we do not believe.
3. A lease that ran out is taken again *before* the log is read. Either the reader finds the row in the log, or the
   revoker finds the lease in the table: each writes first and looks afterwards.

A position is written after the rows up to it were applied. NOTIFY only makes it quicker. Wake-ups of other topics
share the connection, going and coming, and cost the log nothing. One limit: the lease is
judged by the database's wall clock, so a jump of that clock by seconds can cut the waiting of revokers short; the
caches are then wrong for at most 2.5 s.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import URL

from portico.coordination.models import process_description
from portico.coordination.reading import Apply, Reading
from portico.coordination.wakeups import CHANNEL, Wakeups
from portico.core.clock import Clock

log = structlog.get_logger("portico.coordination")

BEAT_SECONDS: Final = 1.0
TRUST_SECONDS: Final = 2.5
LEASE: Final = timedelta(seconds=3)
COMMAND_SECONDS: Final = 2.0
NOTIFY_SECONDS: Final = 0.5
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 1.0
NEVER: Final = float("-inf")

RENEW = """
UPDATE portico_workers SET lease_until = clock_timestamp() + $2::interval WHERE id = $1
RETURNING (SELECT coalesce(max(seq), 0) FROM portico_revocations)
"""
REGISTER = """
INSERT INTO portico_workers (id, position, lease_until, started_at, description)
SELECT $1::uuid, coalesce(max(seq), 0), clock_timestamp() + $2::interval, clock_timestamp(), $3::text
FROM portico_revocations
RETURNING position
"""
UNREAD = "SELECT seq, subject FROM portico_revocations WHERE seq > $1 ORDER BY seq"
CONFIRM = """
UPDATE portico_workers SET position = $2, lease_until = clock_timestamp() + $3::interval
WHERE id = $1 AND lease_until > clock_timestamp() RETURNING true
"""
LEAVE = "DELETE FROM portico_workers WHERE id = $1"
NOTIFY = "SELECT pg_notify($1, topic) FROM unnest($2::text[]) AS topic"


class PostgresFollower:
    """Follows the log as one worker; `start` and `stop` belong to the lifespan."""

    def __init__(self, worker_id: UUID, url: URL, clock: Clock, apply: Apply, wakeups: Wakeups) -> None:
        self.id = worker_id
        self.reading = Reading(apply)
        self.is_listening = False
        """Whether the connection stands on which others are heard."""
        self._url = url
        self._wakeups = wakeups
        self._monotonic = clock.monotonic
        self._trusted_until = NEVER
        self._wake = asyncio.Event()
        self._first_read = asyncio.Event()
        self._topics: set[str] = set()
        self._read_at = NEVER
        self._is_leaving = False
        self._task: asyncio.Task[None] | None = None

    def trusted(self) -> bool:
        """Tell whether the caches may be believed; a comparison."""
        return self._monotonic() < self._trusted_until

    def wake(self) -> None:
        """Read the log now and not at the next beat."""
        self._read_at = NEVER
        self._wake.set()

    def announce(self, topic: str) -> None:
        """Wake the others, from our own connection and outside every transaction; calls that meet are one message."""
        self._topics.add(topic)
        self._wake.set()

    async def start(self) -> None:
        """Begin to follow; waits for the first read, but no longer than a command may take."""
        self._task = asyncio.create_task(self._follow(), name="revocations")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._first_read.wait(), COMMAND_SECONDS)

    async def stop(self) -> None:
        """Believe nothing any more, then leave the table of workers, so that nobody waits for us."""
        self._is_leaving = True
        self._trusted_until = NEVER
        self._wake.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=COMMAND_SECONDS)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._is_leaving:
            self._first_read.clear()
            try:
                await self._follow_until_cut()
            except Exception as error:  # noqa: BLE001 - the edge of a task: recorded, and tried again
                say = log.warning if pause == FIRST_PAUSE_SECONDS else log.debug  # once, not each second
                say("revocations_not_heard", error=repr(error))
            pause = (
                FIRST_PAUSE_SECONDS if self._first_read.is_set() else min(pause * 2, LONGEST_PAUSE_SECONDS)
            )
            if not self._is_leaving:
                await asyncio.sleep(pause)

    async def _follow_until_cut(self) -> None:
        connection = await self._connect()
        try:
            await connection.add_listener(CHANNEL, self._on_notify)
            connection.add_termination_listener(self._on_cut)
            self.is_listening = True
            self._wakeups.hear_everything()
            await self._take_lease(connection)
            self.wake()
            while not self._is_leaving:
                await self._turn(connection)
            await self._send(connection)
            await connection.execute(LEAVE, self.id)
        finally:
            self.is_listening = False
            await _close(connection)

    async def _turn(self, connection: Any) -> None:
        now = asyncio.get_running_loop().time
        self._wake.clear()
        await self._send(connection)
        if self._read_at <= now():
            self._read_at = now() + BEAT_SECONDS
            await self._hear(connection)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), max(0.0, self._read_at - now()))

    async def _send(self, connection: Any) -> None:
        """Send what was announced. NOTIFY may wait for others, or be refused when its queue is full: the log goes on.

        Raises:
            Exception: whatever cut the connection.
        """
        topics, self._topics = self._topics, set()
        if not topics:
            return
        try:
            await connection.execute(NOTIFY, CHANNEL, list(topics), timeout=NOTIFY_SECONDS)
        except Exception as error:
            if connection.is_closed():
                raise
            log.warning("wakeups_not_sent", topics=sorted(topics), error=repr(error))

    async def _hear(self, connection: Any) -> None:
        """Read, apply, confirm; only then believe, and only from the start of the read."""
        started = self._monotonic()
        self.reading.take(await connection.fetch(UNREAD, self.reading.position))
        if await connection.fetchval(CONFIRM, self.id, self.reading.position, LEASE):
            self._trusted_until = NEVER if self._is_leaving else started + TRUST_SECONDS
            self._first_read.set()
            return
        self._trusted_until = NEVER
        await self._take_lease(connection)
        self.wake()

    async def _take_lease(self, connection: Any) -> None:
        """Show others a living lease, to be followed by a read.

        Who finds himself no longer in the table may have missed rows that were trimmed, and who is ahead of the log
        has another database before him than he had: both forget everything.
        """
        newest = await connection.fetchval(RENEW, self.id, LEASE)
        if newest is None:
            self._trusted_until = NEVER
            newest = await connection.fetchval(REGISTER, self.id, LEASE, process_description())
            self.reading.begin_at(newest)
        elif newest < self.reading.position:
            self._trusted_until = NEVER
            self.reading.begin_at(newest)

    def _on_notify(self, connection: Any, sender: int, channel: str, payload: str) -> None:
        if sender != connection.get_server_pid():
            self._wakeups.hear(payload)

    def _on_cut(self, connection: Any) -> None:
        self.is_listening = False
        self.wake()

    async def _connect(self) -> Any:
        import asyncpg

        _, arguments = self._url.get_dialect()().create_connect_args(self._url)
        for name in [name for name in arguments if name.startswith("prepared_statement_")]:
            del arguments[name]  # meant for SQLAlchemy's own layer
        return await asyncpg.connect(
            **arguments,
            timeout=COMMAND_SECONDS,
            command_timeout=COMMAND_SECONDS,
            server_settings={"application_name": "portico listener", "jit": "off"},
        )


async def _close(connection: Any) -> None:
    try:
        await connection.close(timeout=COMMAND_SECONDS)
    except Exception as error:  # noqa: BLE001 - it is being thrown away; recorded
        log.debug("revocations_connection_broken", error=repr(error))
        connection.terminate()
