"""Answers kept for `Idempotency-Key`."""

from datetime import datetime

from sqlalchemy import Integer, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from portico.db.base import NamedTable
from portico.db.columns import UtcDateTime


class IdempotentAnswer(NamedTable):
    """The answer to a write, kept for a day in the transaction of the write itself.

    `id` is a MAC over principal, method, route and key; `request_hash` over the body. The answer is sealed under a
    key derived from the root secret and the header, so that the table alone opens nothing.
    """

    table = "idempotent_answers"

    id: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int] = mapped_column(Integer)
    sealed_answer: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
