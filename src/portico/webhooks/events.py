"""What happens to endpoints."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from portico.messaging import Event
from portico.webhooks.types import DisabledReason


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpointDisabled(Event):
    """An endpoint was switched off: by itself (410), because it took nothing for days, or by an administrator."""

    name: ClassVar[str] = "webhook_endpoint.disabled"

    endpoint_id: UUID
    reason: DisabledReason
