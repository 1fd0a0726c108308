"""The trail's table."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from portico.audit.types import Outcome
from portico.db.base import NamedTable
from portico.db.columns import EnumText, JsonDocument, UtcDateTime
from portico.db.mixins import Identified


class AuditEntry(Identified, NamedTable):
    """Who did what to what, from where, with which outcome; written once, never changed.

    `actor_id` and `subject_id` are plain ids without foreign keys: the trail outlives what it speaks of.
    """

    table = "audit_entries"
    __table_args__ = (
        Index("ix_portico_audit_entries_subject", "subject_id", "id"),
        Index("ix_portico_audit_entries_actor", "actor_id", "id"),
        Index("ix_portico_audit_entries_action", "action", "id"),
    )

    at: Mapped[datetime] = mapped_column(UtcDateTime)
    action: Mapped[str] = mapped_column(String(80))
    outcome: Mapped[Outcome] = mapped_column(EnumText(Outcome))
    actor_id: Mapped[UUID | None] = mapped_column(Uuid)
    on_behalf_of_id: Mapped[UUID | None] = mapped_column(Uuid)
    subject_type: Mapped[str | None] = mapped_column(String(40))
    subject_id: Mapped[UUID | None] = mapped_column(Uuid)
    session_id: Mapped[UUID | None] = mapped_column(Uuid)
    client_address: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(300))
    request_id: Mapped[str | None] = mapped_column(String(128))
    reason: Mapped[str | None] = mapped_column(String(200))
    details: Mapped[dict[str, Any]] = mapped_column(JsonDocument, default=dict)
