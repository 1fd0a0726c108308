"""Tables of the token engines. Nothing in them can be presented: secrets are stored as SHA-256 only."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Integer, LargeBinary, String, Update, Uuid, bindparam, update
from sqlalchemy.orm import Mapped, mapped_column

from portico.db.base import NamedTable
from portico.db.columns import EnumText, UtcDateTime
from portico.db.mixins import Identified
from portico.tokens.types import FamilyEnd, TokenPurpose


class OneTimeToken(Identified, NamedTable):
    """A secret that is good once, for one purpose and one subject, until it expires.

    `address` is where it was sent (normal form); the short `code` beside the link is accepted only together with
    it and only a few times.
    """

    table = "one_time_tokens"
    __table_args__ = (Index("ix_portico_one_time_tokens_address", "purpose", "address"),)

    purpose: Mapped[TokenPurpose] = mapped_column(EnumText(TokenPurpose))
    subject_id: Mapped[UUID] = mapped_column(Uuid, index=True)
    address: Mapped[str | None] = mapped_column(String(320))
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    code_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    failed_codes: Mapped[int] = mapped_column(Integer, default=0)
    sealed_payload: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    consumed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class TokenFamily(Identified, NamedTable):
    """One line of refresh tokens, of which only the token with the present `counter` is the leaf.

    Belongs to a session or to an OAuth grant. Expiry: the earlier of idle (moved by each rotation) and absolute.
    """

    table = "token_families"

    session_id: Mapped[UUID | None] = mapped_column(Uuid, index=True)
    grant_id: Mapped[UUID | None] = mapped_column(Uuid, index=True)
    client_id: Mapped[str] = mapped_column(String(200))
    scope: Mapped[str] = mapped_column(String(2000), default="")
    key_version: Mapped[int] = mapped_column(Integer, default=1)
    counter: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    rotated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    idle_expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    absolute_expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_reason: Mapped[FamilyEnd | None] = mapped_column(EnumText(FamilyEnd))


def rotation() -> Update:
    """Return the compare-and-set that makes a live leaf give way to its child; whoever finds no row has lost.

    Parameters: `family`, `presented` (the leaf's counter), `now`, `idle_until`. It stands beside the table because a
    higher feature asks about rows of its own in the same statement.
    """
    now = bindparam("now", type_=TokenFamily.rotated_at.type)
    return (
        update(TokenFamily.__table__)  # type: ignore[arg-type]  # a Table, which the ORM's base does not say
        .where(
            TokenFamily.id == bindparam("family"),
            TokenFamily.counter == bindparam("presented"),
            TokenFamily.ended_at.is_(None),
            TokenFamily.idle_expires_at > now,
            TokenFamily.absolute_expires_at > now,
        )
        .values(
            counter=TokenFamily.counter + 1,
            rotated_at=now,
            idle_expires_at=bindparam("idle_until", type_=TokenFamily.idle_expires_at.type),
        )
    )
