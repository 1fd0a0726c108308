"""Endpoints, the messages for them, and every attempt to deliver one."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ForeignKey, Index, Integer, LargeBinary, SmallInteger, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql import text

from portico.db.base import NamedTable
from portico.db.columns import EnumText, JsonDocument, UtcDateTime
from portico.db.mixins import Identified, Timestamped, Versioned
from portico.webhooks.types import DeliveryStatus, DisabledReason, EndpointStatus


class WebhookEndpoint(Identified, Timestamped, Versioned, NamedTable):
    """Who hears which events. `organization_id` is null for endpoints of the platform.

    What deliveries note here (from `failing_since` on) is written past the version, which counts the changes that
    people make. `busy_by` is the job that delivers now; after `busy_until` it is taken for lost.
    """

    table = "webhook_endpoints"

    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    url: Mapped[str] = mapped_column(String(2_000))
    description: Mapped[str | None] = mapped_column(String(200))
    event_names: Mapped[list[str]] = mapped_column(JsonDocument)
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    status: Mapped[EndpointStatus] = mapped_column(EnumText(EndpointStatus), default=EndpointStatus.ENABLED)
    disabled_reason: Mapped[DisabledReason | None] = mapped_column(EnumText(DisabledReason))
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failed_runs: Mapped[int] = mapped_column(Integer, default=0)
    resting_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    busy_by: Mapped[UUID | None] = mapped_column(Uuid)
    busy_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class WebhookDelivery(Identified, NamedTable):
    """One event for one endpoint. `body` is text, because every attempt sends and signs the same bytes.

    `next_attempt_at` is set while the delivery is pending, `finished_at` once it is not.
    """

    table = "webhook_deliveries"
    __table_args__ = (
        Index("uq_portico_webhook_deliveries_event", "endpoint_id", "event_id", unique=True),
        Index("ix_portico_webhook_deliveries_endpoint", "endpoint_id", "created_at", "id"),
        Index("ix_portico_webhook_deliveries_newest", "created_at", "id"),
        Index(
            "ix_portico_webhook_deliveries_due",
            "endpoint_id",
            "next_attempt_at",
            sqlite_where=text("next_attempt_at IS NOT NULL"),
            postgresql_where=text("next_attempt_at IS NOT NULL"),
        ),
        Index(
            "ix_portico_webhook_deliveries_finished",
            "finished_at",
            sqlite_where=text("finished_at IS NOT NULL"),
            postgresql_where=text("finished_at IS NOT NULL"),
        ),
    )

    endpoint_id: Mapped[UUID] = mapped_column(
        Uuid,
        ForeignKey(
            "portico_webhook_endpoints.id", ondelete="CASCADE", name="fk_portico_webhook_deliveries_endpoint"
        ),
    )
    event_id: Mapped[UUID] = mapped_column(Uuid)
    event_name: Mapped[str] = mapped_column(String(120))
    message_id: Mapped[str] = mapped_column(String(60))
    body: Mapped[str] = mapped_column(Text)
    status: Mapped[DeliveryStatus] = mapped_column(EnumText(DeliveryStatus), default=DeliveryStatus.PENDING)
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class WebhookAttempt(Identified, NamedTable):
    """One request and what came of it. The signature is not kept; of the answer as much as the settings say."""

    table = "webhook_attempts"

    delivery_id: Mapped[UUID] = mapped_column(
        Uuid,
        ForeignKey(
            "portico_webhook_deliveries.id", ondelete="CASCADE", name="fk_portico_webhook_attempts_delivery"
        ),
        index=True,
    )
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    duration_ms: Mapped[int] = mapped_column(Integer)
    status_code: Mapped[int | None] = mapped_column(SmallInteger)
    request_headers: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
    response_headers: Mapped[dict[str, Any] | None] = mapped_column(JsonDocument)
    response_body: Mapped[str | None] = mapped_column(Text)
    is_cut: Mapped[bool] = mapped_column(Boolean, default=False)
    error: Mapped[str | None] = mapped_column(String(300))
