"""NATS with JetStream: only a stream's acknowledgement says that a message is kept."""

from typing import Final

from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.js.api import StreamConfig
from nats.js.errors import NotFoundError

from portico.messaging.publishing.envelope import CONTENT_TYPE, Message
from portico.messaging.publishing.transport import CONFIRM_SECONDS, CONNECT_SECONDS

KEPT_SECONDS: Final = 7 * 86_400
"""How long a stream that we make keeps messages."""


class NatsTransport:
    """Publishes to the subject `<topic>.<event name>`.

    `Nats-Msg-Id` is the event's id: within the stream's window for duplicates JetStream itself drops the second one.
    """

    def __init__(self, url: str, topic: str) -> None:
        self._topic = topic
        self._stream = ""
        self._client: Client | None = None
        self._broker = NatsBroker(
            url,
            connect_timeout=CONNECT_SECONDS,
            # The outbox tries again, and knows how long to wait.
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            logger=None,
        )

    async def connect(self) -> None:
        """Connect, and make a stream unless one keeps our subjects already."""
        self._client = await self._broker.connect()
        jetstream = self._client.jetstream()
        subjects = f"{self._topic}.>"
        try:
            self._stream = await jetstream.find_stream_name_by_subject(subjects)
        except NotFoundError:
            self._stream = self._topic.replace(".", "_").upper()
            await jetstream.add_stream(
                StreamConfig(name=self._stream, subjects=[subjects], max_age=KEPT_SECONDS)
            )

    async def send(self, message: Message) -> None:
        """Publish, and wait for the stream's acknowledgement."""
        await self._broker.publish(
            message.body,
            subject=f"{self._topic}.{message.name}",
            headers={"Nats-Msg-Id": message.id, "content-type": CONTENT_TYPE},
            stream=self._stream,
            timeout=CONFIRM_SECONDS,
        )

    async def is_alive(self) -> bool:
        """Ask for an answer."""
        assert self._client is not None  # noqa: S101 - connected
        await self._client.flush(CONNECT_SECONDS)
        return True

    async def close(self) -> None:
        """Disconnect, without waiting for a server that does not answer."""
        if self._client is not None:
            await self._client.close()
