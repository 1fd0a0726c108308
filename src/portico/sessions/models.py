"""Sessions: one row a signed-in device."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from portico.db.base import NamedTable
from portico.db.columns import EnumText, JsonDocument, UtcDateTime
from portico.db.mixins import Identified
from portico.sessions.types import LONGEST_REASON, SessionEnd

_ACTING = text("actor_id IS NOT NULL")


class Session(Identified, NamedTable):
    """A person signed in on a device, by the API (a token family) or in the browser (`cookie_hash`).

    With `actor_id` it is an impersonation: somebody else acts in the person's name, for as long as his own session,
    `actor_session_id`, is good.
    """

    table = "sessions"
    __table_args__ = (
        Index("ix_portico_sessions_user_id_ended_at", "user_id", "ended_at"),
        Index("ix_portico_sessions_actor_id", "actor_id", sqlite_where=_ACTING, postgresql_where=_ACTING),
        Index(
            "ix_portico_sessions_actor_session_id",
            "actor_session_id",
            sqlite_where=_ACTING,
            postgresql_where=_ACTING,
        ),
    )

    user_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("portico_users.id", ondelete="CASCADE"))
    device_name: Mapped[str] = mapped_column(String(120))
    user_agent: Mapped[str | None] = mapped_column(String(300))
    device_id: Mapped[UUID | None] = mapped_column(Uuid)
    client_address: Mapped[str | None] = mapped_column(String(64))
    place: Mapped[str | None] = mapped_column(String(120))
    amr: Mapped[list[Any]] = mapped_column(JsonDocument)
    aal: Mapped[int] = mapped_column(Integer, default=1)
    auth_time: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    idle_expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    absolute_expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    cookie_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    active_organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_reason: Mapped[SessionEnd | None] = mapped_column(EnumText(SessionEnd))
    actor_id: Mapped[UUID | None] = mapped_column(Uuid)
    actor_session_id: Mapped[UUID | None] = mapped_column(Uuid)
    impersonation_reason: Mapped[str | None] = mapped_column(String(LONGEST_REASON))
