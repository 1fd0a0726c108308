"""Redis as a second messenger of revocations, beside NOTIFY: some poolers let no LISTEN through.

It only says "read the log now". A message that is lost costs time, up to the next heartbeat, and never truth.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = structlog.get_logger("portico.coordination")

CHANNEL: Final = "portico:revocations"
PAUSE_SECONDS: Final = 1.0


class RedisHastener:
    """Publishes and hears; both in tasks of their own, so that nobody waits for Redis."""

    def __init__(self, client: "Redis") -> None:
        self._client = client
        self._due = asyncio.Event()

    def announce(self) -> None:
        """Wake every process that listens; calls that meet are one message."""
        self._due.set()

    @asynccontextmanager
    async def listening(self, wake: Callable[[], None]) -> AsyncIterator[None]:
        """Call `wake` for each message, and send what is announced."""
        tasks = [
            asyncio.create_task(self._repeat(lambda: self._hear(wake)), name="redis-hear"),
            asyncio.create_task(self._repeat(self._publish), name="redis-announce"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _repeat(self, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await act()
            except Exception as error:  # noqa: BLE001 - recorded, and tried again
                log.debug("redis_messenger_away", error=repr(error))
                await asyncio.sleep(PAUSE_SECONDS)

    async def _hear(self, wake: Callable[[], None]) -> None:
        async with self._client.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(CHANNEL)
            async for _ in subscription.listen():  # without the client's timeout: silence is no failure
                wake()

    async def _publish(self) -> None:
        await self._due.wait()
        self._due.clear()
        await self._client.publish(CHANNEL, b"")
