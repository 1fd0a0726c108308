"""One line on how this process and the others hear each other, for `/health/detailed`."""

from datetime import timedelta
from typing import Final

from portico.coordination.counters import Counters
from portico.coordination.redis_counters import RedisCounters
from portico.coordination.redis_messenger import RedisMessenger
from portico.coordination.repositories import RevocationRepository
from portico.coordination.revocations import RevocationLog
from portico.core.errors import Unavailable
from portico.runtime import Runtime

LARGEST_SKEW: Final = timedelta(seconds=5)


async def describe_coordination(runtime: Runtime) -> str:
    """Return the sentences.

    Raises:
        Unavailable: this process does not hear what others revoke, or its clock is wrong; it believes no cache then,
            and asks the database each time.
    """
    log = runtime.get(RevocationLog)
    if log.is_followed and not log.trusted():
        raise Unavailable("what others revoke is not heard here, so every request asks the database")
    if runtime.database.is_sqlite:
        heard = "Revocations are read from the file."
    else:
        async with runtime.reads() as session:
            number, theirs = await RevocationRepository(session).count_workers()
        _refuse_skew(theirs - runtime.clock.now())
        heard = f"Processes that hear of revocations: {number}."
    return " ".join([heard, *_redis_sentences(runtime)])


def _refuse_skew(skew: timedelta) -> None:
    if abs(skew) > LARGEST_SKEW:
        seconds = abs(skew).total_seconds()
        raise Unavailable(
            f"this clock differs from the database's by {seconds:.0f} s: synchronise both by NTP"
        )


def _redis_sentences(runtime: Runtime) -> list[str]:
    counters, messenger = runtime.find(Counters), runtime.find(RedisMessenger)
    if not isinstance(counters, RedisCounters) or messenger is None:
        return ["Each process counts by itself."]
    return [
        "Redis is away, each process counts by itself." if counters.is_local else "Redis counts for all.",
        "Redis carries wake-ups." if messenger.is_hearing else "Redis carries no wake-ups.",
    ]
