"""Brings coordination to life in a process and takes it down again."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from portico.coordination.counters import Counters
from portico.coordination.leases import Leases
from portico.coordination.memory import MemoryCounters
from portico.coordination.postgres_notifier import PostgresNotifier
from portico.coordination.redis import open_redis
from portico.coordination.redis_counters import RedisCounters
from portico.coordination.redis_messenger import RedisMessenger
from portico.coordination.revocations import RevocationLog
from portico.coordination.wakeups import Wakeups
from portico.runtime import Runtime


@asynccontextmanager
async def coordination_lifespan(runtime: Runtime, *, follows: bool = True) -> AsyncIterator[None]:
    """Provide `Counters`, `Wakeups`, `Leases` and `RevocationLog`.

    With `follows=False` (command line) nothing is heard, and no cache is believed.
    Neither Redis nor the database has to be there at the start: counters begin locally, caches untrusted.
    """
    async with AsyncExitStack() as stack:
        runtime.provide(Counters, local := MemoryCounters(runtime.clock))
        runtime.provide(Wakeups, wakeups := Wakeups())
        runtime.provide(RevocationLog, log := RevocationLog(runtime, wakeups))
        runtime.provide(Leases, Leases(runtime))
        await _use_redis(runtime, stack, local, wakeups, hears=follows)
        if follows:
            await stack.enter_async_context(log.lifespan())
        elif not runtime.database.is_sqlite:
            wakeups.send_by(notifier := PostgresNotifier(runtime.reads))
            await stack.enter_async_context(notifier.running())
        stack.callback(wakeups.flush)
        yield


async def _use_redis(
    runtime: Runtime, stack: AsyncExitStack, local: MemoryCounters, wakeups: Wakeups, *, hears: bool
) -> None:
    """Count and announce over Redis as well, where it is configured."""
    client = open_redis(runtime.settings.redis)
    if client is None:
        return
    stack.push_async_callback(client.aclose)
    shared = RedisCounters(client, local, runtime.settings.redis.timeout)
    stack.push_async_callback(shared.close)
    runtime.provide(Counters, shared)
    messenger = RedisMessenger(client, wakeups)
    wakeups.send_by(messenger)
    runtime.provide(RedisMessenger, messenger)
    await stack.enter_async_context(messenger.running(hears=hears))
