"""SQL of publishing events to a broker."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select, update

from portico.db.repositories import Repository
from portico.messaging.models import OutboxRecord
from portico.messaging.types import OutboxEvent


class PublicationRepository(Repository[OutboxRecord]):
    """`publish_at` of events: when one is next due at the broker, NULL once it is there."""

    async def exists_due(self, now: datetime) -> bool:
        """Tell whether an event is due."""
        return bool(await self.session.scalar(select(exists().where(OutboxRecord.publish_at <= now))))

    async def claim_due(self, now: datetime, until: datetime, limit: int) -> list[tuple[OutboxEvent, int]]:
        """Take up to `limit` due events, with how often each was claimed; others see them again from `until` on."""
        due = (
            select(OutboxRecord.id)
            .where(OutboxRecord.publish_at <= now)
            .order_by(OutboxRecord.publish_at, OutboxRecord.id)
            .limit(limit)
            .with_for_update(skip_locked=True)  # SQLite leaves this out: its writers queue already
            .cte("due")
        )
        statement = (
            update(OutboxRecord)
            .where(OutboxRecord.id.in_(select(due.c.id)))
            .values(publish_at=until, publish_attempts=OutboxRecord.publish_attempts + 1)
            .returning(
                OutboxRecord.id,
                OutboxRecord.name,
                OutboxRecord.version,
                OutboxRecord.occurred_at,
                OutboxRecord.payload,
                OutboxRecord.publish_attempts,
            )
            .execution_options(synchronize_session=False)
        )
        rows = (await self.session.execute(statement)).all()
        return sorted(((OutboxEvent(*row[:5]), row[5]) for row in rows), key=lambda each: each[0].id)

    async def settle(self, event_ids: Sequence[UUID]) -> None:
        """Note that events are at the broker."""
        await self._set(event_ids, publish_at=None, publish_attempts=0)

    async def put_back(self, event_ids: Sequence[UUID], now: datetime) -> None:
        """Let events be due again at once, as if they had not been claimed: the broker was away."""
        await self._set(event_ids, publish_at=now, publish_attempts=OutboxRecord.publish_attempts - 1)

    async def defer(self, event_id: UUID, until: datetime) -> None:
        """Let an event wait that the broker does not take."""
        await self._set([event_id], publish_at=until)

    async def _set(self, event_ids: Sequence[UUID], **values: object) -> None:
        await self.session.execute(
            update(OutboxRecord)
            .where(OutboxRecord.id.in_(event_ids))
            .values(values)
            .execution_options(synchronize_session=False)
        )
