"""The port to a broker, and which module fills it for which URL."""

from typing import Final, Protocol
from urllib.parse import urlsplit

from portico.core.settings import EventsSettings
from portico.messaging.publishing.envelope import Message

CONNECT_SECONDS: Final = 3
CONFIRM_SECONDS: Final = 5.0
"""How long a broker may take to confirm one message."""


class Transport(Protocol):
    """A connection to a broker; made by `open_transport`, thrown away after a failure."""

    async def connect(self) -> None:
        """Connect, and make what messages need to be kept for those who are not listening now."""
        ...

    async def send(self, message: Message) -> None:
        """Return when the broker has confirmed the message; raise whatever if not."""
        ...

    async def is_alive(self) -> bool:
        """Tell whether the broker answers: then a message that was not taken is itself at fault."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


def open_transport(settings: EventsSettings) -> Transport:
    """Return the transport for `PORTICO_EVENTS__BROKER_URL`, not yet connected.

    Raises:
        RuntimeError: FastStream is not installed.
    """
    assert settings.broker_url is not None, "there is no broker to publish to"  # noqa: S101
    url = settings.broker_url.get_secret_value()
    try:
        match urlsplit(url).scheme:
            case "kafka":
                from portico.messaging.publishing.kafka import KafkaTransport

                return KafkaTransport(url, settings.topic)
            case "nats":
                from portico.messaging.publishing.nats import NatsTransport

                return NatsTransport(url, settings.topic)
            case "redis" | "rediss":
                from portico.messaging.publishing.redis import RedisTransport

                return RedisTransport(url, settings.topic)
            case _:
                from portico.messaging.publishing.rabbit import RabbitTransport

                return RabbitTransport(url, settings.topic)
    except ImportError as error:
        raise RuntimeError(
            "PORTICO_EVENTS__BROKER_URL needs FastStream: pip install 'portico[brokers]'"
        ) from error
