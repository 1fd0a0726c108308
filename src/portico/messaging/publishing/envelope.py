"""The envelope: CloudEvents 1.0 in structured mode, one JSON document with the event's id, name, time and data.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from portico.messaging.types import OutboxEvent

CONTENT_TYPE: Final = "application/cloudevents+json"


@dataclass(frozen=True, slots=True)
class Message:
    """An event on its way to a broker: `id` is also the message's key, the same at each delivery."""

    id: str
    name: str
    body: bytes


def cloud_event(event: OutboxEvent, source: str) -> dict[str, Any]:
    """Return the CloudEvent; `source` is the deployment's public URL.

    `eventversion` is an extension: the version of the data's shape.
    """
    return {
        "specversion": "1.0",
        "id": str(event.id),
        "source": source,
        "type": event.name,
        "time": event.occurred_at.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "eventversion": event.version,
        "data": event.payload,
    }


def message_of(event: OutboxEvent, source: str) -> Message:
    """Return what is sent for an event."""
    body = json.dumps(cloud_event(event, source), ensure_ascii=False, separators=(",", ":"))
    return Message(str(event.id), event.name, body.encode())
