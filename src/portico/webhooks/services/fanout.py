"""From events to messages: one row for each endpoint that hears an event, and one job for each endpoint."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.messaging import OutboxEvent
from portico.runtime import Runtime
from portico.webhooks.messages import body_of, hears, message_id_of
from portico.webhooks.queueing import enqueue_delivering
from portico.webhooks.repositories import DeliveryRepository, EndpointRepository


async def write_deliveries(events: Sequence[OutboxEvent], unit: Unit, runtime: Runtime) -> None:
    """Write what each endpoint is to be sent, in the transaction that takes the events from the outbox."""
    now = runtime.clock.now()
    subscribers = await EndpointRepository(unit.session).list_subscribers(now)
    rows: list[dict[str, Any]] = []
    for subscriber in subscribers:
        heard = [event for event in events if hears(subscriber.event_names, event.name)]
        rows += [delivery_row(subscriber.id, event, now) for event in heard]
        if heard and not subscriber.is_resting:
            enqueue_delivering(runtime, unit, subscriber.id, is_failing=subscriber.is_failing)
    if rows:
        await DeliveryRepository(unit.session).write(rows)


def delivery_row(endpoint_id: UUID, event: OutboxEvent, now: datetime) -> dict[str, Any]:
    """Return the row of one message, due now."""
    return {
        "id": new_id(),
        "endpoint_id": endpoint_id,
        "event_id": event.id,
        "event_name": event.name,
        "message_id": message_id_of(event.id),
        "body": body_of(event.name, event.occurred_at, event.payload),
        "created_at": now,
        "next_attempt_at": now,
    }
