"""SQL of the outbox."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from portico.db.repositories import Repository
from portico.messaging.models import ERROR_LENGTH, OutboxRecord
from portico.messaging.types import OutboxEvent, OutboxState

_INSERT = insert(OutboxRecord)
_EVENT = (
    OutboxRecord.id,
    OutboxRecord.name,
    OutboxRecord.version,
    OutboxRecord.occurred_at,
    OutboxRecord.payload,
    OutboxRecord.principal_id,
    OutboxRecord.actor_id,
)


class OutboxRepository(Repository[OutboxRecord]):
    """The outbox."""

    async def write(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add events."""
        await self.session.execute(_INSERT, rows)

    async def exists_waiting(self, now: datetime) -> bool:
        """Tell whether an event waits for its fan-out."""
        return bool(await self.session.scalar(select(exists().where(_is_waiting(now)))))

    async def lock_waiting(self, now: datetime, limit: int) -> list[OutboxEvent]:
        """Return the oldest events that wait; nobody else gets them before this transaction ends."""
        statement = (
            select(*_EVENT)
            .where(_is_waiting(now))
            .order_by(OutboxRecord.id)
            .limit(limit)
            .with_for_update(skip_locked=True)  # SQLite leaves this out: its writers queue already
        )
        return [OutboxEvent(*row) for row in await self.session.execute(statement)]

    async def lock_event(self, event_id: UUID) -> list[OutboxEvent]:
        """Return one event if it still waits and nobody else works on it."""
        statement = (
            select(*_EVENT)
            .where(OutboxRecord.id == event_id, OutboxRecord.dispatched_at.is_(None))
            .with_for_update(skip_locked=True)
        )
        return [OutboxEvent(*row) for row in await self.session.execute(statement)]

    async def mark_dispatched(self, ids: Sequence[UUID], now: datetime) -> None:
        """Note that everybody's jobs are written."""
        await self.session.execute(
            update(OutboxRecord)
            .where(OutboxRecord.id.in_(ids))
            .values(dispatched_at=now, fault=None, retry_at=None)
            .execution_options(synchronize_session=False)
        )

    async def note_fault(self, event_id: UUID, fault: str, retry_at: datetime) -> None:
        """Let an event wait that could not be fanned out, and tell why."""
        await self.session.execute(
            update(OutboxRecord)
            .where(OutboxRecord.id == event_id)
            .values(fault=fault[:ERROR_LENGTH], retry_at=retry_at, attempts=OutboxRecord.attempts + 1)
            .execution_options(synchronize_session=False)
        )

    async def find_attempts(self, event_id: UUID) -> int:
        """Return how often the fan-out of an event failed."""
        return (
            await self.session.scalar(select(OutboxRecord.attempts).where(OutboxRecord.id == event_id)) or 0
        )

    async def remove_settled(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` events that reached everybody before then; return how many."""
        settled = (
            select(OutboxRecord.id)
            .where(OutboxRecord.dispatched_at < before, OutboxRecord.publish_at.is_(None))
            .limit(limit)
        )
        statement = (
            delete(OutboxRecord)
            .where(OutboxRecord.id.in_(settled))
            .returning(OutboxRecord.id)
            .execution_options(synchronize_session=False)
        )
        return len((await self.session.execute(statement)).all())

    async def state(self) -> OutboxState:
        """Return what waits."""
        waiting = OutboxRecord.dispatched_at.is_(None)
        counted = select(
            func.count(),
            func.min(OutboxRecord.occurred_at),
            func.count(OutboxRecord.fault),
            func.max(OutboxRecord.fault),
        ).where(waiting)
        row = (await self.session.execute(counted)).one()
        unpublished = await self.session.scalar(
            select(func.count()).where(OutboxRecord.publish_at.is_not(None))
        )
        return OutboxState(row[0], row[1], row[2], unpublished or 0, row[3])


def _is_waiting(now: datetime) -> ColumnElement[bool]:
    return and_(
        OutboxRecord.dispatched_at.is_(None),
        or_(OutboxRecord.retry_at.is_(None), OutboxRecord.retry_at <= now),
    )
