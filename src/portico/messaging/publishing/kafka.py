"""Kafka: a topic, the event's id as key, acknowledged by all in-sync replicas."""

from urllib.parse import urlsplit

from faststream.kafka import KafkaBroker

from portico.messaging.publishing.envelope import CONTENT_TYPE, Message
from portico.messaging.publishing.transport import CONFIRM_SECONDS, CONNECT_SECONDS


class KafkaTransport:
    """Publishes to the topic; `kafka://one:9092,two:9092` names several servers to begin with."""

    def __init__(self, url: str, topic: str, broker: KafkaBroker | None = None) -> None:
        self._topic = topic
        self._broker = broker or KafkaBroker(
            urlsplit(url).netloc.split(","),
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=int(CONFIRM_SECONDS * 1000),
            logger=None,
        )

    async def connect(self) -> None:
        """Connect; the topic is the operator's, or made by the server where it may."""
        await self._broker.start()

    async def send(self, message: Message) -> None:
        """Publish, and wait for the acknowledgement."""
        await self._broker.publish(
            message.body,
            topic=self._topic,
            key=message.id.encode(),
            headers={"content-type": f"{CONTENT_TYPE}; charset=UTF-8"},
        )

    async def is_alive(self) -> bool:
        """Ask for an answer."""
        return await self._broker.ping(CONNECT_SECONDS)

    async def close(self) -> None:
        """Disconnect."""
        await self._broker.stop()
