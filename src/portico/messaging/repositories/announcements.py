"""SQL of announcing jobs to a broker."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, literal, select, union_all, update

from portico.db.repositories import Repository
from portico.messaging.models import JobRecord
from portico.messaging.types import JobStatus


@dataclass(frozen=True, slots=True)
class ToAnnounce:
    """What there is to announce in a queue: whether new jobs, and how many whose announcement may be lost."""

    queue: str
    has_new: bool
    overdue: int


class AnnouncementRepository(Repository[JobRecord]):
    """`announced_at` of jobs that wait."""

    async def survey(
        self, queues: Sequence[str], names: Sequence[str], now: datetime, before: datetime, at_most: int
    ) -> list[ToAnnounce]:
        """Return the queues with something to announce; what was announced `before` and still waits is overdue."""
        if not queues:
            return []
        looks = [
            select(
                literal(queue),
                exists().where(_is_due(queue, names, now), JobRecord.announced_at.is_(None)),
                select(func.count())
                .select_from(
                    select(JobRecord.id)
                    .where(_is_due(queue, names, now), JobRecord.announced_at < before)
                    .limit(at_most)
                    .subquery()
                )
                .scalar_subquery(),
            )
            for queue in queues
        ]
        rows = [ToAnnounce(*row) for row in await self.session.execute(union_all(*looks))]
        return [row for row in rows if row.has_new or row.overdue]

    async def mark_new(self, queue: str, names: Sequence[str], now: datetime, limit: int) -> list[UUID]:
        """Mark up to `limit` jobs that were not announced, the most urgent first; return them."""
        return await self._mark(
            and_(_is_due(queue, names, now), JobRecord.announced_at.is_(None)), now, limit
        )

    async def mark_overdue(
        self, queue: str, names: Sequence[str], now: datetime, before: datetime, limit: int
    ) -> list[UUID]:
        """Mark up to `limit` jobs anew that were announced before then and still wait; return them."""
        return await self._mark(and_(_is_due(queue, names, now), JobRecord.announced_at < before), now, limit)

    async def _mark(self, condition: ColumnElement[bool], now: datetime, limit: int) -> list[UUID]:
        if limit <= 0:
            return []
        chosen = (
            select(JobRecord.id)
            .where(condition)
            .order_by(JobRecord.priority, JobRecord.run_at, JobRecord.id)
            .limit(limit)
            .with_for_update(skip_locked=True)  # SQLite leaves this out: its writers queue already
            .cte("chosen")
        )
        statement = (
            update(JobRecord)
            .where(JobRecord.id.in_(select(chosen.c.id)))
            .values(announced_at=now)
            .returning(JobRecord.id, JobRecord.priority, JobRecord.run_at)
            .execution_options(synchronize_session=False)
        )
        rows = (await self.session.execute(statement)).all()
        return [row.id for row in sorted(rows, key=lambda row: (row.priority, row.run_at, row.id))]

    async def unmark(self, job_ids: Sequence[UUID], marked_at: datetime) -> None:
        """Take marks back whose announcement failed."""
        await self.session.execute(
            update(JobRecord)
            .where(
                JobRecord.id.in_(job_ids),
                JobRecord.announced_at == marked_at,
                JobRecord.status == JobStatus.QUEUED,
            )
            .values(announced_at=None)
            .execution_options(synchronize_session=False)
        )

    async def count_waiting(self, now: datetime) -> tuple[int, int]:
        """Return how many jobs are due, and how many of them are announced."""
        row = (
            await self.session.execute(
                select(func.count(), func.count(JobRecord.announced_at)).where(
                    JobRecord.status == JobStatus.QUEUED, JobRecord.run_at <= now
                )
            )
        ).one()
        return row[0], row[1]


def _is_due(queue: str, names: Sequence[str], now: datetime) -> ColumnElement[bool]:
    return and_(
        JobRecord.queue == queue,
        JobRecord.status == JobStatus.QUEUED,
        JobRecord.run_at <= now,
        JobRecord.name.in_(names),
    )
