"""Alerts, what rules remember, how far they have read, and who waits for mail."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, Integer, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from portico.alerts.types import AlertStatus, Audience, Severity
from portico.db.base import NamedTable
from portico.db.columns import EnumText, JsonDocument, UtcDateTime
from portico.db.mixins import Identified


class Alert(Identified, NamedTable):
    """One thing that looks like an attack. Ids have no foreign keys, as on the trail: alerts outlive what they name."""

    table = "alerts"
    __table_args__ = (
        Index("ix_portico_alerts_raised_at", "raised_at", "id"),
        Index("ix_portico_alerts_organization", "organization_id", "raised_at", "id"),
        Index("ix_portico_alerts_subject", "subject_id", "raised_at", "id"),
        Index("ix_portico_alerts_status", "status", "raised_at", "id"),
        Index("ix_portico_alerts_last_at", "last_at"),
    )

    rule: Mapped[str] = mapped_column(String(60))
    severity: Mapped[Severity] = mapped_column(EnumText(Severity))
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    subject_type: Mapped[str | None] = mapped_column(String(40))
    subject_id: Mapped[UUID | None] = mapped_column(Uuid)
    group_key: Mapped[str] = mapped_column(String(64))
    first_entry_id: Mapped[UUID] = mapped_column(Uuid)
    last_entry_id: Mapped[UUID] = mapped_column(Uuid)
    count: Mapped[int] = mapped_column(BigInteger)
    details: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime)
    status: Mapped[AlertStatus] = mapped_column(EnumText(AlertStatus), default=AlertStatus.OPEN)
    acknowledged_by: Mapped[UUID | None] = mapped_column(Uuid)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resolved_by: Mapped[UUID | None] = mapped_column(Uuid)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    note: Mapped[str | None] = mapped_column(String(500))


class AlertCounter(NamedTable):
    """What a rule remembers of a group: the marks that still count, or the alert that is going on.

    `group_key` is a MAC, so that no address and no account stands in it.
    """

    table = "alert_counters"

    rule: Mapped[str] = mapped_column(String(60), primary_key=True)
    group_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    marks: Mapped[list[Any]] = mapped_column(JsonDocument)
    alert_id: Mapped[UUID | None] = mapped_column(Uuid)
    alert_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class AlertFollower(NamedTable):
    """How far the trail has been read, in one row. What is not younger than `heard_from` raises nothing: it was there
    before there were alerts.
    """

    table = "alert_follower"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger)
    heard_from: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AlertMailbox(NamedTable):
    """What somebody has not been mailed yet: how many alerts, which of them, and when it is time."""

    table = "alert_mailboxes"

    user_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    audience: Mapped[Audience] = mapped_column(EnumText(Audience), primary_key=True)
    waiting: Mapped[int] = mapped_column(Integer)
    alert_ids: Mapped[list[str]] = mapped_column(JsonDocument)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    mailed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
