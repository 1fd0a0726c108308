"""SQL of leases, and of the revocation log as requests use it; what followers read stands in their own files."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, delete, func, insert, literal, select, update

from portico.coordination.models import LeaseRow, Revocation, Worker
from portico.db.dialects import insert_into
from portico.db.repositories import Repository

_L = cast("Table", LeaseRow.__table__)

LOCK = 0x706F_7274_7265_766F
"""The log's advisory lock on PostgreSQL (`portrevo`)."""

FORGET_WORKERS_AFTER = timedelta(minutes=10)
KEEP_ROWS_FOR = timedelta(hours=1)
NO_TIME = timedelta()


class RevocationRepository(Repository[Revocation]):
    """The log and the workers that follow it."""

    async def lock(self) -> None:
        """Let nobody else append before this transaction ends, so that `seq` rises in the order of commits."""
        await self.session.execute(select(func.pg_advisory_xact_lock(LOCK)))

    async def append(self, subjects: Sequence[str], at: datetime) -> list[int]:
        """Write a row for each subject and return their `seq`."""
        rows = [{"subject": subject, "created_at": at} for subject in subjects]
        return list(await self.session.scalars(insert(Revocation).returning(Revocation.seq), rows))

    async def least_position(self, *, other_than: UUID) -> int | None:
        """Return how far the slowest living worker has read, the database's clock deciding who lives; None: nobody."""
        living = select(func.min(Worker.position)).where(
            Worker.lease_until > func.clock_timestamp(), Worker.id != other_than
        )
        return await self.session.scalar(living)

    async def count_workers(self) -> tuple[int, datetime]:
        """Return how many workers live, and the database's time (PostgreSQL)."""
        living = select(func.count()).where(Worker.lease_until > func.clock_timestamp()).scalar_subquery()
        row = (await self.session.execute(select(living, func.clock_timestamp()))).one()
        return row[0], row[1]

    async def forget_dead_workers(self) -> None:
        """Delete workers whose lease ran out long ago; one that lives after all begins anew and forgets everything."""
        dead = Worker.lease_until < func.clock_timestamp() - FORGET_WORKERS_AFTER
        await self.session.execute(delete(Worker).where(dead))

    async def trim(self, now: datetime) -> None:
        """Delete old rows that every worker has read.

        The newest row always stays: SQLite counts on from the highest number there is.
        """
        newest = select(func.max(Revocation.seq)).scalar_subquery()
        heard = select(func.min(Worker.position)).scalar_subquery()
        old = Revocation.created_at < now - KEEP_ROWS_FOR
        await self.session.execute(
            delete(Revocation)
            .where(old, Revocation.seq < newest, Revocation.seq <= func.coalesce(heard, newest))
            .execution_options(synchronize_session=False)
        )


class LeaseRepository(Repository[LeaseRow]):
    """Who holds what. `now` is the host's time, asked on SQLite only."""

    async def take(self, name: str, holder: str, now: datetime, ttl: timedelta) -> int | None:
        """Make `holder` the holder if nobody is, and return his token; None: somebody is."""
        upsert: Any = insert_into(_L, self._dialect)
        expires_at = self._in(ttl, now)
        statement = (
            upsert.values(name=name, holder=holder, token=1, expires_at=expires_at)
            .on_conflict_do_update(
                index_elements=[_L.c.name],
                set_={"holder": holder, "token": _L.c.token + 1, "expires_at": expires_at},
                where=_L.c.expires_at <= self._in(NO_TIME, now),
            )
            .returning(_L.c.token)
        )
        return cast("int | None", await self.session.scalar(statement))

    async def renew(self, name: str, token: int, now: datetime, ttl: timedelta) -> bool:
        """Make the lease last longer; False if the token is not the newest any more."""
        statement = (
            update(_L)
            .where(_L.c.name == name, _L.c.token == token)
            .values(expires_at=self._in(ttl, now))
            .returning(_L.c.token)
        )
        return await self.session.scalar(statement) is not None

    async def release(self, name: str, token: int, now: datetime) -> None:
        """Let the lease end, if the token is the newest."""
        ends = (
            update(_L).where(_L.c.name == name, _L.c.token == token).values(expires_at=self._in(NO_TIME, now))
        )
        await self.session.execute(ends)

    async def is_newest(self, name: str, token: int) -> bool:
        """Tell whether the token is the newest, and let nobody take the lease before the transaction ends."""
        newest = select(_L.c.token).where(_L.c.name == name).with_for_update()
        return await self.session.scalar(newest) == token

    async def holder_of(self, name: str) -> str | None:
        """Return who took the lease last."""
        return cast("str | None", await self.session.scalar(select(_L.c.holder).where(_L.c.name == name)))

    @property
    def _dialect(self) -> str:
        return self.session.get_bind().dialect.name

    def _in(self, wait: timedelta, now: datetime) -> Any:
        if self._dialect == "postgresql":
            return func.clock_timestamp() + wait
        return literal(now + wait, _L.c.expires_at.type)
