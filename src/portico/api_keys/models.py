"""API keys and service accounts."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Uuid,
)
from sqlalchemy.orm import Mapped, mapped_column

from portico.api_keys.types import KeyEnd, KeyKind
from portico.db.base import NamedTable
from portico.db.columns import EnumText, JsonDocument, UtcDateTime
from portico.db.mixins import Identified, SoftDeleted, Timestamped, Versioned


class ApiKey(Identified, Timestamped, Versioned, NamedTable):
    """A key; of its text only SHA-256 and the first characters are kept.

    `principal_id` is whoever it acts for: a person, a service account, or an organization (then it is the
    organization's id); null for honeytokens. `organization_id` is the only organization in which it is good. What uses
    note here (from `last_used_at` to `used_today`) is written past the version, which counts the changes of people.
    """

    table = "api_keys"
    __table_args__ = (
        CheckConstraint("(principal_id IS NULL) = (kind = 'honeytoken')", name="holder"),
        Index("ix_portico_api_keys_principal_id", "principal_id", "created_at", "id"),
        Index("ix_portico_api_keys_organization_id", "organization_id", "created_at", "id"),
        Index("ix_portico_api_keys_created_at", "created_at", "id"),
    )

    kind: Mapped[KeyKind] = mapped_column(EnumText(KeyKind))
    principal_id: Mapped[UUID | None] = mapped_column(
        Uuid, ForeignKey("portico_principals.id", ondelete="CASCADE")
    )
    organization_id: Mapped[UUID | None] = mapped_column(
        Uuid, ForeignKey("portico_tenants.id", ondelete="CASCADE")
    )
    name: Mapped[str] = mapped_column(String(80))
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    shown_prefix: Mapped[str] = mapped_column(String(12))
    scopes: Mapped[list[Any]] = mapped_column(JsonDocument)
    networks: Mapped[list[Any]] = mapped_column(JsonDocument)
    rate_limit_per_minute: Mapped[int | None] = mapped_column(Integer)
    quota_per_day: Mapped[int | None] = mapped_column(Integer)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    created_by: Mapped[UUID | None] = mapped_column(Uuid, index=True)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_address: Mapped[str | None] = mapped_column(String(64))
    use_count: Mapped[int] = mapped_column(BigInteger, default=0)
    used_on: Mapped[date | None] = mapped_column(Date)
    """The day (UTC) that `used_today` counts."""
    used_today: Mapped[int] = mapped_column(Integer, default=0)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    revoked_reason: Mapped[KeyEnd | None] = mapped_column(EnumText(KeyEnd))
    replaced_by: Mapped[UUID | None] = mapped_column(Uuid)
    overlap_until: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    remind_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    """When somebody is to be told next that it expires."""


class ServiceAccount(SoftDeleted, Timestamped, Versioned, NamedTable):
    """A principal of an organization that is no person: it has roles and keys, no password, and never signs in."""

    table = "service_accounts"
    __table_args__ = (
        Index("ix_portico_service_accounts_organization_id", "organization_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_principals.id", ondelete="CASCADE"), primary_key=True
    )
    organization_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("portico_tenants.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(80))
    description: Mapped[str] = mapped_column(String(400))
    created_by: Mapped[UUID | None] = mapped_column(Uuid)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
