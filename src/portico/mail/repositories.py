"""SQL of the mail queue."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from portico.db.repositories import Repository
from portico.mail.models import MailMessage
from portico.mail.types import MailStatus


@dataclass(frozen=True, slots=True, repr=False)
class ClaimedMail:
    """A message that this process sends and, until `claimed_until`, no other."""

    id: UUID
    message_id: str
    template: str
    recipient: str
    sealed_content: bytes
    attempts: int
    created_at: datetime
    claimed_until: datetime


class MailRepository(Repository[MailMessage]):
    """The queue. Changes after the sending are conditional on the claim, so that a sender that fell asleep over
    its message cannot undo what the next one did.
    """

    async def claim_due(self, now: datetime, until: datetime) -> ClaimedMail | None:
        """Take the message that has been due the longest; None if none is due or all are taken."""
        due = (
            select(MailMessage.id)
            .where(_is_due(now))
            .order_by(MailMessage.next_attempt_at, MailMessage.id)
            .limit(1)
            .with_for_update(skip_locked=True)  # SQLite leaves this out: its writers queue already
        )
        claim = (
            update(MailMessage)
            .where(MailMessage.id == due.scalar_subquery(), _is_due(now))
            .values(claimed_until=until)
            .returning(
                MailMessage.id,
                MailMessage.message_id,
                MailMessage.template,
                MailMessage.recipient,
                MailMessage.sealed_content,
                MailMessage.attempts,
                MailMessage.created_at,
                MailMessage.claimed_until,
            )
            .execution_options(synchronize_session=False)
        )
        row = (await self.session.execute(claim)).mappings().one_or_none()
        return None if row is None else ClaimedMail(**row)

    async def count_due(self, now: datetime, *, at_most: int) -> int:
        """Return how many messages wait to be sent now, counted up to `at_most`."""
        due = select(MailMessage.id).where(_is_due(now)).limit(at_most).subquery()
        return (await self.session.execute(select(func.count()).select_from(due))).scalar_one()

    async def mark_sent(self, mail: ClaimedMail, now: datetime) -> None:
        """Note that the message left, and drop its content; true whoever has claimed it meanwhile."""
        await self._change(
            MailMessage.id == mail.id,
            status=MailStatus.SENT,
            sent_at=now,
            attempts=MailMessage.attempts + 1,
            sealed_content=None,
            claimed_until=None,
            last_error=None,
        )

    async def defer(self, mail: ClaimedMail, until: datetime, reason: str, *, counted: bool) -> None:
        """Let the message wait; `counted` if the try was one of this message and not only of the transport."""
        await self._change(
            _is_claimed(mail),
            next_attempt_at=until,
            attempts=MailMessage.attempts + int(counted),
            claimed_until=None,
            last_error=reason,
        )

    async def fail(self, mail: ClaimedMail, reason: str) -> None:
        """Note that the message will never leave; its content stays for whoever looks into it."""
        await self._change(
            _is_claimed(mail),
            status=MailStatus.FAILED,
            attempts=MailMessage.attempts + 1,
            claimed_until=None,
            last_error=reason,
        )

    async def _change(self, which: ColumnElement[bool], **values: object) -> None:
        await self.session.execute(
            update(MailMessage).where(which).values(**values).execution_options(synchronize_session=False)
        )

    async def remove_settled(self, before: datetime) -> None:
        """Delete what was sent or failed before."""
        settled = or_(
            and_(MailMessage.status == MailStatus.SENT, MailMessage.sent_at < before),
            and_(MailMessage.status == MailStatus.FAILED, MailMessage.created_at < before),
        )
        await self.session.execute(delete(MailMessage).where(settled))

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


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(
        MailMessage.status == MailStatus.QUEUED,
        MailMessage.next_attempt_at <= now,
        or_(MailMessage.claimed_until.is_(None), MailMessage.claimed_until <= now),
    )


def _is_claimed(mail: ClaimedMail) -> ColumnElement[bool]:
    return and_(
        MailMessage.id == mail.id,
        MailMessage.claimed_until == mail.claimed_until,
        MailMessage.status == MailStatus.QUEUED,
    )
