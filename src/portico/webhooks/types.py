"""Words of webhooks, and the values that services hand around."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

TEST_EVENT = "webhook.test"
"""The name of what an administrator sends to try an endpoint; no endpoint subscribes to it."""


class EndpointStatus(StrEnum):
    """Whether an endpoint hears events."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    """Why an endpoint hears none."""

    ADMINISTRATOR = "administrator"
    """Somebody switched it off."""
    GONE = "gone"
    """It answered 410: it wants no more."""
    FAILING = "failing"
    """It took nothing for days."""


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Every attempt was made; it can be replayed."""


class EndpointSort(StrEnum):
    """What the list of endpoints may be sorted by."""

    CREATED_AT = "created_at"


class DeliverySort(StrEnum):
    """What the log may be sorted by."""

    CREATED_AT = "created_at"


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An enabled endpoint, as the fan-out sees it; one that `is_resting` after a failure is tried again by itself."""

    id: UUID
    event_names: tuple[str, ...]
    is_failing: bool
    is_resting: bool


@dataclass(frozen=True, slots=True, repr=False)
class ClaimedEndpoint:
    """An endpoint to which this run delivers and, until it lets go, no other."""

    id: UUID
    url: str
    sealed_secret: bytes
    sealed_previous_secret: bytes | None
    previous_until: datetime | None
    failing_since: datetime | None
    failed_runs: int


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """One message that is to be sent now."""

    id: UUID
    message_id: str
    body: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one attempt ended: with a status, or with an `error` where there was no whole answer."""

    delivery: DueDelivery
    at: datetime
    elapsed: timedelta
    request_headers: Mapping[str, str]
    status_code: int | None = None
    response_headers: Mapping[str, str] | None = None
    response_body: str | None = None
    is_cut: bool = False
    error: str | None = None
    is_unanswered: bool = False
    """Nobody was there, or nobody answered in time: the next message would fare no better."""
    retry_after: timedelta | None = None
    """What the receiver asked for."""

    @property
    def is_success(self) -> bool:
        """Tell whether the receiver took the message."""
        return self.error is None and self.status_code is not None and 200 <= self.status_code < 300


@dataclass(frozen=True, slots=True)
class IssuedSecret:
    """A new secret, shown this once, and until when the one before is used as well."""

    endpoint_id: UUID
    secret: str
    previous_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One attempt, as administrators see it."""

    id: UUID
    at: datetime
    duration_ms: int
    status_code: int | None
    request_headers: Mapping[str, Any]
    response_headers: Mapping[str, Any] | None
    response_body: str | None
    is_cut: bool
    error: str | None
