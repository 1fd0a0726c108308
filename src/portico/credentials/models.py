"""Passwords, guess counters and registration tokens."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Integer, LargeBinary, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from portico.db.base import NamedTable
from portico.db.columns import UtcDateTime
from portico.db.mixins import Identified


class PasswordCredential(NamedTable):
    """A person's password as an Argon2id hash in PHC form."""

    table = "password_credentials"

    user_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_users.id", ondelete="CASCADE"), primary_key=True
    )
    password_hash: Mapped[str] = mapped_column(String(300))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class GuessCounter(NamedTable):
    """Failed proofs of one factor of one account, from one known device or from all strangers together.

    `account` is the HMAC of the user id or, where there is no such user, of the identifier's normal form, so that
    both branches cost the same and the table names nobody. `device` is `known:<id>` or `strangers`.
    """

    table = "guess_counters"

    account: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    factor: Mapped[str] = mapped_column(String(20), primary_key=True)
    device: Mapped[str] = mapped_column(String(60), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    first_failed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_failed_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    blocked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RegistrationToken(Identified, NamedTable):
    """Lets somebody sign up where registration is by invitation: a number of uses, an expiry, a preset role."""

    table = "registration_tokens"

    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    note: Mapped[str | None] = mapped_column(String(200))
    role: Mapped[str | None] = mapped_column(String(40))
    max_uses: Mapped[int] = mapped_column(Integer, default=1)
    uses: Mapped[int] = mapped_column(Integer, default=0)
    created_by: Mapped[UUID | None] = mapped_column(Uuid)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
