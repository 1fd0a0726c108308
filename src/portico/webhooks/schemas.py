"""Shapes of the webhooks API."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from portico.http.pagination import PageQuery, SortOrder
from portico.http.schemas import RequestModel, ResponseModel
from portico.webhooks.types import (
    DeliverySort,
    DeliveryStatus,
    DisabledReason,
    EndpointSort,
    EndpointStatus,
)

Pattern = Annotated[str, Field(max_length=120, pattern=r"^(\*|[a-z][a-z0-9_]*(\.[a-z0-9_]+)*(\.\*)?)$")]
"""The name of an event, `user.*` for all of a kind, `*` for all."""


def _readable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line without control characters")
    return text


Description = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_readable)]


class EndpointListQuery(PageQuery):
    """Which endpoints, the newest first. `q` is looked for in address and description."""

    sort_by: EndpointSort = EndpointSort.CREATED_AT
    """What to sort by."""
    sort_order: SortOrder = SortOrder.DESC
    """Which end comes first."""
    status: EndpointStatus | None = None
    """Only endpoints with this status."""


class DeliveryListQuery(PageQuery):
    """Which deliveries, the newest first. `q` is the id of a message."""

    sort_by: DeliverySort = DeliverySort.CREATED_AT
    """What to sort by."""
    sort_order: SortOrder = SortOrder.DESC
    """Which end comes first."""
    endpoint_id: UUID | None = None
    """Only deliveries to this endpoint."""
    status: DeliveryStatus | None = None
    """Only deliveries with this status."""
    event_name: str | None = Field(None, min_length=1, max_length=120)
    """Only deliveries of this event, such as `user.created`."""


class CreateEndpointRequest(RequestModel):
    """An endpoint that is to hear events."""

    url: str = Field(max_length=2_000)
    """Where to send them: https, a public address."""
    event_names: list[Pattern] = Field(min_length=1, max_length=100)
    """What to send: names of events, `user.*`, or `*`."""
    description: Description | None = None


class UpdateEndpointRequest(RequestModel):
    """What is sent is changed."""

    url: str = Field("", max_length=2_000)
    event_names: list[Pattern] = Field(default=[], min_length=1, max_length=100)
    description: Description | None = None

    def sent(self) -> dict[str, Any]:
        """Return the fields that the request names."""
        return self.model_dump(exclude_unset=True)


class EndpointResponse(ResponseModel):
    """An endpoint without its secret."""

    id: UUID
    url: str
    description: str | None
    event_names: list[str]
    status: EndpointStatus
    disabled_reason: DisabledReason | None
    disabled_at: datetime | None
    failing_since: datetime | None
    """Since when nothing has reached it; null while it works."""
    previous_until: datetime | None = Field(serialization_alias="previous_secret_until")
    """Until when messages are signed under the secret before the present one too."""
    created_at: datetime
    updated_at: datetime
    version: int


class CreatedEndpointResponse(ResponseModel):
    """A new endpoint; `secret` is shown this once."""

    endpoint: EndpointResponse
    secret: str


class SecretResponse(ResponseModel):
    """A new secret, shown this once; until `previous_until` messages are signed under the one before as well."""

    secret: str
    previous_until: datetime | None


class QueuedDeliveryResponse(ResponseModel):
    """The delivery that was put into the queue; its outcome is in the log."""

    delivery_id: UUID


class DeliveryResponse(ResponseModel):
    """One event for one endpoint, as the log lists it."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID
    event_name: str
    message_id: str
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


class AttemptResponse(ResponseModel):
    """One request, and the answer as far as it is kept."""

    id: UUID
    at: datetime
    duration_ms: int
    status_code: int | None
    request_headers: dict[str, Any]
    response_headers: dict[str, Any] | None
    response_body: str | None
    is_cut: bool
    """There was more of the body than is kept."""
    error: str | None
    """Why there was no whole answer."""


class DeliveryDetailsResponse(DeliveryResponse):
    """A delivery with what was sent, and every attempt, oldest first."""

    body: str
    tries: list[AttemptResponse]
