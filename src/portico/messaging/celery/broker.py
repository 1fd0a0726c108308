"""The broker as those see it who announce jobs: synchronous, over one connection, quick to give up."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from kombu.connection import Connection
from kombu.messaging import Producer

from portico.messaging.celery.wire import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    TRANSIENT,
    announcement,
    transport_options,
    wire_queue,
)
from portico.messaging.pauses import BrokerAway


class JobBroker:
    """One connection, opened at the first use and again after a failure; for one thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        self._channel: Any = None

    def depths(self, queues: Iterable[str]) -> dict[str, int]:
        """Return how many messages wait in each queue, which is made if need be.

        Raises:
            BrokerAway: it cannot be reached, or does not answer in time.
        """
        try:
            channel = self._open_channel()
            return {queue: wire_queue(queue)(channel).queue_declare().message_count for queue in queues}
        except Exception as error:
            raise self._away(error) from error

    def send(self, announced: Mapping[str, Sequence[UUID]]) -> None:
        """Announce jobs, by queue; the broker has taken them all when this returns.

        Raises:
            BrokerAway: it cannot be reached, refuses, or does not answer in time; some may be announced.
        """
        try:
            producer = Producer(self._open_channel())
            for queue, job_ids in announced.items():
                for job_id in job_ids:
                    producer.publish(
                        **announcement(job_id),
                        routing_key=wire_queue(queue).name,
                        serializer="json",
                        delivery_mode=TRANSIENT,
                        confirm_timeout=ANSWER_SECONDS,
                    )
        except Exception as error:
            raise self._away(error) from error

    def describe(self) -> str:
        """Return where the broker is, without its password."""
        return Connection(self._url).as_uri()

    def close(self) -> None:
        """Drop the connection."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            with suppress(Exception):  # it may be broken, which is why it is dropped
                connection.collect(socket_timeout=1)

    def _open_channel(self) -> Any:
        if self._channel is None or self._connection is None or not self._connection.connected:
            self.close()
            self._connection = Connection(
                self._url, connect_timeout=CONNECT_SECONDS, transport_options=transport_options(self._url)
            )
            self._connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            self._channel = self._connection.channel()
        return self._channel

    def _away(self, error: Exception) -> BrokerAway:
        self.close()
        return BrokerAway(f"{type(error).__name__}: {error}")
