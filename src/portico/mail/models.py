"""The queue of mail: written in the transaction of the act, sent by a background task."""

from datetime import datetime

from sqlalchemy import Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from portico.db.base import NamedTable
from portico.db.columns import EnumText, UtcDateTime
from portico.db.mixins import Identified
from portico.mail.types import MailStatus


class MailMessage(Identified, NamedTable):
    """One message to one address. Subject, text and HTML are sealed together at rest: mails carry links that sign
    people in; the content is dropped once the message is sent.
    """

    table = "mail_messages"
    __table_args__ = (Index("ix_portico_mail_messages_due", "status", "next_attempt_at"),)

    message_id: Mapped[str] = mapped_column(String(200), unique=True)
    template: Mapped[str] = mapped_column(String(60))
    recipient: Mapped[str] = mapped_column(String(320))
    sealed_content: Mapped[bytes | None] = mapped_column(LargeBinary)
    status: Mapped[MailStatus] = mapped_column(EnumText(MailStatus))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_attempt_at: Mapped[datetime] = mapped_column(UtcDateTime)
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(String(300))
