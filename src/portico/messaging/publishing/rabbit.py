"""RabbitMQ: a durable topic exchange, publisher confirms, and a durable queue that hears everything."""

import asyncio
from typing import Final

from aio_pika import RobustConnection
from faststream.rabbit import Channel, ExchangeType, RabbitBroker, RabbitExchange, RabbitQueue

from portico.messaging.publishing.envelope import CONTENT_TYPE, Message
from portico.messaging.publishing.transport import CONFIRM_SECONDS, CONNECT_SECONDS

LINGER_SECONDS: Final = 0.05
"""aio-pika's own callbacks end a little after its connection."""


class RabbitTransport:
    """Publishes to the exchange `<topic>` with the event's name as routing key.

    A message that no queue takes comes back and counts as not published. So that this does not happen before the
    first consumer comes, there is a queue called as the exchange; bind others as you like.
    """

    def __init__(self, url: str, topic: str) -> None:
        self._exchange = RabbitExchange(topic, type=ExchangeType.TOPIC, durable=True)
        self._queue = RabbitQueue(topic, durable=True)
        self._connection: RobustConnection | None = None
        self._broker = RabbitBroker(
            url,
            timeout=CONNECT_SECONDS,
            default_channel=Channel(publisher_confirms=True, on_return_raises=True),
            logger=None,
        )

    async def connect(self) -> None:
        """Connect, and make exchange and queue."""
        self._connection = await self._broker.connect()
        exchange = await self._broker.declare_exchange(self._exchange)
        queue = await self._broker.declare_queue(self._queue)
        await queue.bind(exchange, routing_key="#")

    async def send(self, message: Message) -> None:
        """Publish, and wait for the confirm."""
        await self._broker.publish(
            message.body,
            exchange=self._exchange,
            routing_key=message.name,
            message_id=message.id,
            content_type=CONTENT_TYPE,
            persist=True,
            mandatory=True,
            timeout=CONFIRM_SECONDS,
        )

    async def is_alive(self) -> bool:
        """Ask for an answer: open a channel. What FastStream declares a second time never leaves the process."""
        assert self._connection is not None  # noqa: S101 - connected
        if not self._connection.connected.is_set():
            return False
        async with self._connection.channel():
            return True

    async def close(self) -> None:
        """Disconnect at once: a broker that is low on memory answers to no polite closing of channels."""
        if self._connection is not None:
            await self._connection.close()
            await asyncio.sleep(LINGER_SECONDS)
