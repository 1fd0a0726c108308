"""Kafka, played by FastStream's test broker: key, headers and body of the record."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cloudevents.core.bindings.kafka import KafkaMessage, from_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from faststream.kafka import KafkaBroker, KafkaMessage as Received, TestKafkaBroker

from portico.messaging import OutboxEvent
from portico.messaging.publishing.envelope import message_of
from portico.messaging.publishing.kafka import KafkaTransport

EVENT = OutboxEvent(UUID(int=5), "pie.picked", 1, datetime(2026, 1, 5, tzinfo=UTC), {"slice": "apple"})


async def test_record_is_a_structured_cloud_event_with_the_id_as_key() -> None:
    broker = KafkaBroker()
    received: list[Received] = []

    @broker.subscriber("portico.events")
    async def hear(body: bytes, message: Received) -> None:
        received.append(message)

    async with TestKafkaBroker(broker):
        transport = KafkaTransport("kafka://one:9092,two:9092", "portico.events", broker)
        await transport.send(message_of(EVENT, "http://localhost:8000"))

    record: Any = received[0].raw_message
    headers = {name: value for name, value in record.headers if name == "content-type"}
    event = from_structured(KafkaMessage(headers, record.key, record.value), JSONFormat(), CloudEvent)
    assert record.key == str(EVENT.id).encode()
    assert (event.get_id(), event.get_type(), event.get_data()) == (
        str(EVENT.id),
        "pie.picked",
        {"slice": "apple"},
    )
