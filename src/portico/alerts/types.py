"""Words of alerts."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class Severity(StrEnum):
    """How bad it is, if it is what it looks like."""

    INFO = "info"
    WARNING = "warning"
    HIGH = "high"
    CRITICAL = "critical"


class AlertStatus(StrEnum):
    """How far people are with it."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Audience(StrEnum):
    """Who is told by mail."""

    PERSON = "person"
    """The person whose account it is about; administrators, where it is about nobody's account."""
    OWNERS = "owners"
    """The owners of the organization in which it happened; administrators, where it happened in none."""
    ADMINISTRATORS = "administrators"
    """The superusers of the deployment."""


class AlertSort(StrEnum):
    """What alerts may be sorted by."""

    RAISED_AT = "raised_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFacts:
    """An alert, as services hand it around. `first_at` and `last_at` are times of entries."""

    id: UUID
    rule: str
    severity: Severity
    organization_id: UUID | None
    subject_type: str | None
    subject_id: UUID | None
    first_entry_id: UUID
    last_entry_id: UUID
    count: int
    details: dict[str, Any]
    first_at: datetime
    last_at: datetime
    raised_at: datetime
    status: AlertStatus
    acknowledged_by: UUID | None
    acknowledged_at: datetime | None
    resolved_by: UUID | None
    resolved_at: datetime | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts; what is None filters nothing."""

    organization_id: UUID | None = None
    subject_id: UUID | None = None
    rule: str | None = None
    rules: frozenset[str] | None = None
    severity: Severity | None = None
    status: AlertStatus | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTotal:
    """How often a rule has spoken since a moment, and how many of its alerts are open, of whatever age."""

    rule: str
    raised: int
    open: int
