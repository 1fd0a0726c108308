"""SQL of mail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, delete, func, or_, select, update

from portico.db.repositories import Repository
from portico.mail.models import MailMessage
from portico.mail.types import MailStatus


@dataclass(frozen=True, slots=True, repr=False)
class WaitingMail:
    """A message that is to be sent."""

    id: UUID
    message_id: str
    template: str
    recipient: str
    sealed_content: bytes
    created_at: datetime


_WAITING = tuple(getattr(MailMessage, name) for name in WaitingMail.__slots__)


class MailRepository(Repository[MailMessage]):
    """The messages."""

    async def find_unsent(self, mail_id: UUID) -> WaitingMail | None:
        """Return a message that was not sent yet, also one that was given up; None if it was sent or erased."""
        statement = select(*_WAITING).where(MailMessage.id == mail_id, MailMessage.status != MailStatus.SENT)
        row = (await self.session.execute(statement)).one_or_none()
        return None if row is None else WaitingMail(*row)

    async def mark_sent(self, mail_id: UUID, now: datetime) -> None:
        """Note that the message left, and drop its content; true whoever runs its job meanwhile."""
        await self._change(mail_id, status=MailStatus.SENT, sent_at=now, sealed_content=None)

    async def mark_failed(self, mail_id: UUID) -> None:
        """Note that the message does not leave; its content stays, for its job can be tried again."""
        await self._change(mail_id, status=MailStatus.FAILED)

    async def _change(self, mail_id: UUID, **values: object) -> None:
        await self.session.execute(
            update(MailMessage)
            .where(MailMessage.id == mail_id, MailMessage.status != MailStatus.SENT)
            .values(**values)
            .execution_options(synchronize_session=False)
        )

    async def remove_settled(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` messages that were sent or failed before; return how many."""
        settled = or_(
            and_(MailMessage.status == MailStatus.SENT, MailMessage.sent_at < before),
            and_(MailMessage.status == MailStatus.FAILED, MailMessage.created_at < before),
        )
        statement = (
            delete(MailMessage)
            .where(MailMessage.id.in_(select(MailMessage.id).where(settled).limit(limit)))
            .returning(MailMessage.id)
            .execution_options(synchronize_session=False)
        )
        return len((await self.session.execute(statement)).all())

    async def remove_to(self, addresses: Sequence[str]) -> None:
        """Delete everything to these addresses (in lower case), sent or not."""
        await self.session.execute(
            delete(MailMessage).where(func.lower(MailMessage.recipient).in_(addresses))
        )

    async def count_by_status(self) -> dict[MailStatus, int]:
        """Return how many messages wait and how many failed."""
        statement = (
            select(MailMessage.status, func.count())
            .where(MailMessage.status.in_([MailStatus.QUEUED, MailStatus.FAILED]))
            .group_by(MailMessage.status)
        )
        return {row.status: row[1] for row in await self.session.execute(statement)}
