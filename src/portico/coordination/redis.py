"""The client for Redis or Valkey: made from the settings, quick to give up, asked how it is.

Redis never holds the truth here: whatever uses it must do without it.
"""

import time
from typing import TYPE_CHECKING

from portico.core.settings import RedisSettings
from portico.runtime import Runtime

if TYPE_CHECKING:
    from redis.asyncio import Redis

CONNECTIONS = 32
"""The most that one process opens; whoever finds all of them busy waits as long as for an answer."""


def open_redis(settings: RedisSettings) -> "Redis | None":
    """Return a client for the configured server, not yet connected; None without a URL. Close it with `aclose()`.

    Its connections speak RESP2, which every server and proxy knows, and there is no second try: after
    `settings.timeout` a command has failed.

    Raises:
        RuntimeError: redis-py is not installed.
    """
    if settings.url is None:
        return None
    try:
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.maint_notifications import MaintNotificationsConfig
    except ImportError as error:
        raise RuntimeError("PORTICO_REDIS__URL needs redis-py: pip install 'portico[redis]'") from error
    seconds = settings.timeout.total_seconds()
    pool = BlockingConnectionPool.from_url(
        settings.url.get_secret_value(),
        max_connections=CONNECTIONS,
        timeout=seconds,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        client_name="portico",
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    return Redis.from_pool(pool)


async def describe_redis(runtime: Runtime) -> str:
    """Return a sentence on the health of Redis, for `/health/detailed` and `portico doctor`.

    Raises:
        OSError, RedisError: it does not answer in time.
    """
    client = open_redis(runtime.settings.redis)
    if client is None:
        return "Redis is not configured: counters live in each process."
    async with client:
        started = time.perf_counter()
        facts = await client.info("server")
        milliseconds = (time.perf_counter() - started) * 1000
    name = "Valkey" if "valkey_version" in facts else "Redis"
    version = facts.get("valkey_version") or facts.get("redis_version", "")
    return f"{name} {version} answers in {milliseconds:.1f} ms."
