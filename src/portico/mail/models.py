"""Mail: written in the transaction of the act, sent by a job."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from portico.db.base import NamedTable
from portico.db.columns import EnumText, UtcDateTime
from portico.db.mixins import Identified
from portico.mail.types import MailStatus


class MailMessage(Identified, NamedTable):
    """One message to one address. Subject, text and HTML are sealed together at rest: mails carry links that sign
    people in; the content is dropped once the message is sent. When it is tried next, and what the server said, stands
    in its job.
    """

    table = "mail_messages"
    __table_args__ = (Index("ix_portico_mail_messages_status", "status", "created_at"),)

    message_id: Mapped[str] = mapped_column(String(200), unique=True)
    template: Mapped[str] = mapped_column(String(60))
    recipient: Mapped[str] = mapped_column(String(320))
    sealed_content: Mapped[bytes | None] = mapped_column(LargeBinary)
    status: Mapped[MailStatus] = mapped_column(EnumText(MailStatus))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
