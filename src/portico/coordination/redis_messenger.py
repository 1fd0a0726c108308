"""Redis as a way of wake-ups, beside NOTIFY (some poolers let no LISTEN through) or alone (SQLite)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import structlog

from portico.coordination.wakeups import CHANNEL, Wakeups
from portico.core.ids import new_id

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

log = structlog.get_logger("portico.coordination")

PAUSE_SECONDS: Final = 1.0
SILENCE_SECONDS: Final = 10.0
"""After so long without a message the server is asked whether it is still there."""


class RedisMessenger:
    """Publishes and hears; both in tasks of their own, so that nobody waits for Redis."""

    def __init__(self, client: "Redis", wakeups: Wakeups) -> None:
        self._client = client
        self._wakeups = wakeups
        self._name = new_id().hex
        self._topics: set[str] = set()
        self._due = asyncio.Event()
        self.is_hearing = False
        """Whether messages of others arrive here, as far as one can know."""

    def announce(self, topic: str) -> None:
        """Wake every other process that listens; calls that meet are one message."""
        self._topics.add(topic)
        self._due.set()

    @asynccontextmanager
    async def running(self, *, hears: bool = True) -> AsyncIterator[None]:
        """Send what is announced and, with `hears`, call who is woken by others; sends the last at the end."""
        acts = {"redis-announce": self._publish_when_due} | ({"redis-hear": self._hear} if hears else {})
        tasks = [asyncio.create_task(self._repeat(act), name=name) for name, act in acts.items()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(Exception):  # it costs others the time until they look by themselves
                await self._publish()

    async def _repeat(self, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await act()
            except Exception as error:  # noqa: BLE001 - recorded, and tried again
                log.debug("redis_messenger_away", error=repr(error))
                await asyncio.sleep(PAUSE_SECONDS)

    async def _hear(self) -> None:
        try:
            async with self._client.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe(CHANNEL)
                self.is_hearing = True
                self._wakeups.hear_everything()
                while True:
                    await self._hear_one(subscription)
        finally:
            self.is_hearing = False

    async def _hear_one(self, subscription: "PubSub") -> None:
        """Hear what comes next. Silence is no failure, unless the server does not answer when it is asked.

        Raises:
            ConnectionError: it does not; a connection whose other end has vanished would be silent for ever.
        """
        message = await subscription.get_message(timeout=SILENCE_SECONDS)
        if message is None:
            await subscription.ping()
            message = await subscription.get_message(timeout=SILENCE_SECONDS)
            if message is None:
                raise ConnectionError("Redis is silent")
        if message["type"] == "message":
            sender, _, topic = message["data"].decode().partition(" ")
            if sender != self._name:
                self._wakeups.hear(topic)

    async def _publish_when_due(self) -> None:
        await self._due.wait()
        await self._publish()

    async def _publish(self) -> None:
        topics, self._topics = self._topics, set()
        self._due.clear()
        for topic in topics:
            await self._client.publish(CHANNEL, f"{self._name} {topic}")
