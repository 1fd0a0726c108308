"""SQL of the HTTP floor: answers kept for `Idempotency-Key`."""

from datetime import datetime

from sqlalchemy import delete, select

from portico.db.repositories import Repository
from portico.http.models import IdempotentAnswer


class IdempotentAnswerRepository(Repository[IdempotentAnswer]):
    """Kept answers by the MAC of who asked for what."""

    async def find_answer(self, answer_id: bytes, now: datetime) -> IdempotentAnswer | None:
        """Return the answer that is kept under `answer_id` and has not expired, or None."""
        statement = select(IdempotentAnswer).where(
            IdempotentAnswer.id == answer_id, IdempotentAnswer.expires_at > now
        )
        return (await self.session.execute(statement)).scalar_one_or_none()

    async def remove_expired_answer(self, answer_id: bytes, now: datetime) -> None:
        """Delete what has expired and stands in the way under `answer_id`."""
        await self.session.execute(
            delete(IdempotentAnswer).where(
                IdempotentAnswer.id == answer_id, IdempotentAnswer.expires_at <= now
            )
        )

    async def remove_expired(self, now: datetime, limit: int) -> int:
        """Delete up to `limit` answers that have expired; return how many."""
        expired = select(IdempotentAnswer.id).where(IdempotentAnswer.expires_at <= now).limit(limit)
        statement = (
            delete(IdempotentAnswer)
            .where(IdempotentAnswer.id.in_(expired))
            .returning(IdempotentAnswer.id)
            .execution_options(synchronize_session=False)
        )
        return len((await self.session.execute(statement)).all())
