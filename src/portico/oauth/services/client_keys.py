"""The public keys of clients: those that they registered, and those that they publish at their `jwks_uri`.

What was fetched is remembered in the process, as long as its headers say within our bounds. A key that is not among
them makes us look again, but no more than twice a minute for one address: whoever signs with nonsense cannot make us
call anybody without end (OpenID Connect Core 1.0, section 10.1.1).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from portico.oauth.protocol.client_id_metadata import LONGEST, believed_for
from portico.oauth.protocol.jose import PublicJwk, Rejected, parse_jwks
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.services.clients import Client
from portico.oauth.services.fetching import NotFetched, fetch_json
from portico.runtime import Runtime

MAX_SET_BYTES = 65_536
MAX_REMEMBERED = 1_000
MAX_UNDER_WAY = 32
AGAIN_AFTER = timedelta(seconds=30)

log = structlog.get_logger("portico.oauth")


@dataclass(frozen=True, slots=True)
class Published:
    """A key set as it was fetched, and until when nobody needs to look again."""

    keys: Sequence[PublicJwk]
    fetched_at: datetime
    good_until: datetime


class ClientKeys:
    """Knows the keys of clients; one a process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._published: OrderedDict[str, Published] = OrderedDict()
        self._tried: OrderedDict[str, datetime] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[Published]] = {}

    async def of(self, client: Client, *, afresh: bool = False) -> Sequence[PublicJwk]:
        """Return the keys of a client; `afresh` asks again where it publishes them, if that was not just done.

        Raises:
            Refused: invalid_client; they cannot be had.
        """
        if client.metadata.jwks is not None:
            return _parsed(client.metadata.jwks)
        if client.metadata.jwks_uri is None:
            return ()
        return await self.at(client.metadata.jwks_uri, afresh=afresh)

    async def at(self, url: str, *, afresh: bool = False) -> Sequence[PublicJwk]:
        """Return the keys that are published at an address, a client's or a trusted issuer's.

        Raises:
            Refused: invalid_client; they cannot be had.
        """
        now, known = self._runtime.clock.now(), self._published.get(url)
        if known is not None and now < known.good_until and not afresh:
            self._published.move_to_end(url)
            return known.keys
        tried = self._tried.get(url)
        if url not in self._under_way and tried is not None and now < tried + AGAIN_AFTER:
            return _still(known, now)
        try:
            return (await asyncio.shield(self._fetching(url, now))).keys
        except NotFetched as error:
            log.info("client_keys_not_fetched", url=url, why=error.reason)
            return _still(self._published.get(url), now)

    def _fetching(self, url: str, now: datetime) -> "asyncio.Task[Published]":
        """Return the one fetch of this address that is under way."""
        task = self._under_way.get(url)
        if task is not None:
            return task
        if len(self._under_way) >= MAX_UNDER_WAY:
            raise Refused(ErrorCode.INVALID_CLIENT, "the keys of the client cannot be had now")
        _remember(self._tried, url, now)
        task = self._under_way[url] = asyncio.create_task(self._fetch(url))
        task.add_done_callback(lambda done: self._ended(url, done))
        return task

    def _ended(self, url: str, task: "asyncio.Task[Published]") -> None:
        del self._under_way[url]
        if not task.cancelled():
            task.exception()  # seen, also when nobody waits any more

    async def _fetch(self, url: str) -> Published:
        """Fetch and remember; what was published before is over as soon as the address says something else."""
        try:
            fetched = await fetch_json(self._runtime, url, most=MAX_SET_BYTES)
            keys = _parsed(fetched.body)
        except (NotFetched, Refused) as error:
            if not isinstance(error, NotFetched) or not error.may_pass:
                self._published.pop(url, None)
            raise
        now = self._runtime.clock.now()
        published = Published(keys, now, now + believed_for(fetched.headers))
        _remember(self._published, url, published)
        return published


def _parsed(source: Mapping[str, Any] | bytes) -> Sequence[PublicJwk]:
    try:
        return parse_jwks(source)
    except Rejected as rejected:
        raise Refused(ErrorCode.INVALID_CLIENT, "the client has no good keys", str(rejected)) from None


def _still(known: Published | None, now: datetime) -> Sequence[PublicJwk]:
    """Return what was published before, where it is not older than a day.

    Raises:
        Refused: invalid_client; there is nothing such.
    """
    if known is None or now >= known.fetched_at + LONGEST:
        raise Refused(ErrorCode.INVALID_CLIENT, "the keys of the client cannot be had")
    return known.keys


def _remember[V](memory: OrderedDict[str, V], url: str, value: V) -> None:
    memory[url] = value
    memory.move_to_end(url)
    while len(memory) > MAX_REMEMBERED:
        memory.popitem(last=False)
