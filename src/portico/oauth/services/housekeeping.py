"""Forgetting what is over: requests, ids that were good once, opaque tokens, devices, grants."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from portico.db.unit import DatabaseSession
from portico.oauth.repositories import (
    GrantRepository,
    RequestRepository,
    SpentIdRepository,
)
from portico.oauth.repositories.devices import DeviceRepository
from portico.oauth.repositories.tokens import OpaqueTokenRepository
from portico.oauth.services.grants import Grants
from portico.oauth.settings import OAuthSettings
from portico.runtime import Runtime

AT_ONCE = 500
"""Rows that one transaction deletes, so that it holds nobody up."""
A_WHILE = timedelta(hours=1)
"""How much longer than they are good things are kept, so that whoever is late hears why."""
LONGEST_TOKEN = timedelta(hours=24)
"""A grant without refresh tokens is nothing any more when the last access token of it is over."""

type Remove = Callable[[DatabaseSession, datetime, int], Awaitable[int]]


async def end_outlived_grants(runtime: Runtime) -> None:
    """Put on the trail which grants are over because nobody can be signed in any more who gave them."""
    went = AT_ONCE
    while went == AT_ONCE:
        went = len(await Grants(runtime, runtime.unit()).end_outlived(AT_ONCE))


async def forget_what_is_over(runtime: Runtime) -> int:
    """Delete it, some at a time; return how many rows went."""
    now = runtime.clock.now()
    gone = 0
    kept = max(runtime.section(OAuthSettings).keep_ended, LONGEST_TOKEN)
    for remove, before in _plan(now, now - kept):
        went = AT_ONCE
        while went == AT_ONCE:
            async with (unit := runtime.unit()):
                went = await remove(unit.session, before, AT_ONCE)
            gone += went
    return gone


def _plan(now: datetime, long_ago: datetime) -> Sequence[tuple[Remove, datetime]]:
    late = now - A_WHILE
    return (
        (lambda session, before, limit: RequestRepository(session).remove_expired(before, limit), late),
        (lambda session, before, limit: SpentIdRepository(session).remove_expired(before, limit), late),
        (lambda session, before, limit: OpaqueTokenRepository(session).remove_expired(before, limit), late),
        (lambda session, before, limit: DeviceRepository(session).remove_expired(before, limit), late),
        (lambda session, before, limit: GrantRepository(session).remove_ended(before, limit), long_ago),
    )
