"""Redis or Valkey: a stream. Pub/sub would forget whatever is said while nobody listens."""

from typing import Any, Final

from faststream.redis import RedisBroker
from faststream.redis.parser import MessageFormat
from redis.asyncio import Redis

from portico.messaging.publishing.envelope import Message
from portico.messaging.publishing.transport import CONFIRM_SECONDS, CONNECT_SECONDS

KEPT: Final = 1_000_000
"""About how many entries the stream keeps; the oldest go first."""


class Plain(MessageFormat):
    """The body as it is, so that readers need not be FastStream's."""

    @classmethod
    async def encode(cls, *, message: Any, **_: Any) -> bytes:
        """Return the body."""
        return bytes(message)

    @classmethod
    def parse(cls, data: bytes) -> tuple[bytes, dict[str, Any]]:
        """Return the body, without headers."""
        return data, {}


class RedisTransport:
    """Adds to the stream; each entry has one field, `__data__`, with the CloudEvent."""

    def __init__(self, url: str, topic: str) -> None:
        self._stream = topic
        self._client: Redis | None = None
        self._broker = RedisBroker(
            url,
            message_format=Plain,
            socket_timeout=CONFIRM_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            logger=None,  # type: ignore[arg-type]  # as for the other brokers; only its annotation forgets it
        )

    async def connect(self) -> None:
        """Connect."""
        self._client = await self._broker.connect()
        await self._client.ping()

    async def send(self, message: Message) -> None:
        """Add an entry."""
        await self._broker.publish(message.body, stream=self._stream, maxlen=KEPT)

    async def is_alive(self) -> bool:
        """Ask for an answer."""
        assert self._client is not None  # noqa: S101 - connected
        await self._client.ping()
        return True

    async def close(self) -> None:
        """Disconnect."""
        await self._broker.stop()
