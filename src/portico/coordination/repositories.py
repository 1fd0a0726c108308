"""SQL of the revocation log as requests use it; what followers read stands in their own files."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, insert, select

from portico.coordination.models import Revocation, Worker
from portico.db.repositories import Repository

LOCK = 0x706F_7274_7265_766F
"""The log's advisory lock on PostgreSQL (`portrevo`)."""

FORGET_WORKERS_AFTER = timedelta(minutes=10)
KEEP_ROWS_FOR = timedelta(hours=1)


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
