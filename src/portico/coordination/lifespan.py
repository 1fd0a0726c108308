"""Brings coordination to life in a process and takes it down again."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from portico.coordination.counters import Counters
from portico.coordination.hastener import RedisHastener
from portico.coordination.memory import MemoryCounters
from portico.coordination.redis import open_redis
from portico.coordination.redis_counters import RedisCounters
from portico.coordination.revocations import RevocationLog
from portico.runtime import Runtime


@asynccontextmanager
async def coordination_lifespan(runtime: Runtime, *, follows: bool = True) -> AsyncIterator[None]:
    """Provide `Counters` and `RevocationLog`; with `follows=False` (command line) nothing runs in the background.

    Neither Redis nor the database has to be there at the start: counters begin locally, caches untrusted.
    """
    async with AsyncExitStack() as stack:
        local = MemoryCounters(runtime.clock)
        client = open_redis(runtime.settings.redis)
        runtime.provide(Counters, local)
        hastener = None
        if client is not None:
            stack.push_async_callback(client.aclose)
            shared = RedisCounters(client, local, runtime.settings.redis.timeout)
            stack.push_async_callback(shared.close)
            runtime.provide(Counters, shared)
            hastener = RedisHastener(client)
        log = RevocationLog(runtime, hastener)
        runtime.provide(RevocationLog, log)
        if follows:
            await stack.enter_async_context(log.lifespan())
        yield
