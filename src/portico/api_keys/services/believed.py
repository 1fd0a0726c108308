"""Keys that this process has verified lately and may believe without asking the database.

A hit is a SHA-256, a look into a dict, a comparison of times, a count. The entry is tagged with the key, with whoever
it acts for and with its organization: what ends one of them is heard before that is answered
(`coordination.revocations`).
What a key may be used for at most is asked here too: its addresses, its rate, its quota of the day. Of a quota some
uses are taken from the database at once, before they are made.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

import structlog

from portico.api_keys.repositories import FoundKey, KeyReader
from portico.api_keys.repositories.quotas import QuotaTrips
from portico.api_keys.services.alarms import Alarms
from portico.api_keys.settings import ApiKeysSettings
from portico.api_keys.types import KEY_FORMAT, ONE_DAY, KeyEnd, KeyFault, KeyKind, Network, Use
from portico.coordination.cache import BoundedCache
from portico.coordination.counters import Counters, Verdict, Window
from portico.coordination.revocations import RevocationLog
from portico.core.context import current_request
from portico.core.errors import RateLimited
from portico.core.ids import OrganizationId, PrincipalId
from portico.http.authentication import CredentialKind, Principal, PrincipalKind
from portico.http.edge.limits import Limit, Standing, refusal_of
from portico.runtime import Runtime
from portico.sessions.services.believed import KeySpace
from portico.tokens.secret_format import NotASecret

log = structlog.get_logger("portico.api_keys")

NOTE_USE_EVERY: Final = timedelta(seconds=60)
"""How coarse `last_used_at` and `last_used_address` are."""

SLICES: Final = 40
"""A process takes a fortieth of a quota at once: so many writes a day, and so much that one that dies takes along."""
ASK_AGAIN: Final = timedelta(seconds=5)
"""How long a quota that had nothing left is believed to have nothing: what others give back is not seen sooner."""

_KINDS: Final = {
    KeyKind.PERSONAL: PrincipalKind.USER,
    KeyKind.SERVICE_ACCOUNT: PrincipalKind.SERVICE_ACCOUNT,
    KeyKind.ORGANIZATION: PrincipalKind.ORGANIZATION,
}

_BY_THE_CLOCK: Final = frozenset({KeyEnd.EXPIRED, KeyEnd.ROTATED})


class KeyRefused(Exception):
    """The key is no good; `fault` is for the log and the trail."""

    def __init__(self, fault: KeyFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class Tally:
    """How often this process has seen a key since it last wrote that down, and what it may use of its quota (UTC)."""

    __slots__ = (
        "__weakref__",
        "address",
        "at",
        "day",
        "key_id",
        "left",
        "on_day",
        "pending",
        "taking",
        "used_up",
    )

    def __init__(self, key_id: UUID) -> None:
        self.key_id = key_id
        self.pending = 0
        self.day = 0
        self.on_day = 0
        """How many of `pending` fell on the day and are not counted in the row; those of a quota are."""
        self.left = 0
        """How many uses of the day were taken from the quota and not made."""
        self.used_up: tuple[int, datetime] | None = None
        """Which quota had nothing left, and until when nobody asks again."""
        self.taking = asyncio.Lock()
        self.at: datetime | None = None
        self.address: str | None = None

    def is_used_up(self, quota: int, now: datetime) -> bool:
        """Tell whether there was nothing left of the quota a moment ago."""
        return self.used_up is not None and self.used_up[0] == quota and now < self.used_up[1]

    def turn_to(self, day: int) -> None:
        """Begin a day."""
        self.day, self.on_day, self.left, self.used_up = day, 0, 0, None


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """What was read of a key: whom it stands for, until when, and within which limits."""

    principal: Principal
    good_until: datetime
    networks: tuple[Network, ...]
    limit: Limit | None
    quota: int | None
    tally: Tally


class BelievedKeys:
    """The bounded memory of verified keys; one a process."""

    def __init__(self, runtime: Runtime) -> None:
        settings = runtime.section(ApiKeysSettings)
        self._runtime = runtime
        self._clock = runtime.clock
        self._alarms = Alarms(runtime)
        self._quotas = QuotaTrips(runtime.database.trips)
        self._space = KeySpace("api_key", runtime.settings.public_url)
        self._entries: BoundedCache[bytes, Belief] = BoundedCache(
            runtime.get(RevocationLog), settings.cached_keys
        )
        self._tallies: WeakValueDictionary[UUID, Tally] = WeakValueDictionary()
        self._used: list[Tally] = []

    def __len__(self) -> int:
        return len(self._entries)

    async def authenticate(self, text: str) -> Principal:
        """Return whom the key stands for; the request counts against its limits.

        Raises:
            KeyRefused: it is no good, or not from here.
            RateLimited: its rate or quota is used up (429).
        """
        belief = self._entries.hit(self._space.key(text))
        now = self._clock.now()
        if belief is None or now >= belief.good_until:
            belief = await self._load(text, now)
        if belief.networks:
            await self._check_network(belief)
        tally, day = belief.tally, now.toordinal()
        if tally.day != day:
            tally.turn_to(day)
        if belief.limit is not None:
            await self._check_rate(belief.limit, tally.key_id, now)
        if belief.quota is not None:
            await self._take(tally, belief.quota, now)
        self._count(tally, now, is_taken=belief.quota is not None)
        return belief.principal

    async def read_again(self, key_id: UUID) -> Principal:
        """Return whom a key stands for by what the database says now, for routes that trust no memory.

        Raises:
            KeyRefused: it is no good any more.
        """
        async with self._runtime.reads() as session:
            found = await KeyReader(session).find_by_id(key_id)
        now = self._clock.now()
        if found is None or (fault := fault_of(found, now)) is not None:
            raise KeyRefused(KeyFault.UNKNOWN if found is None else fault or KeyFault.UNKNOWN)
        return _principal(found)

    def take_used(self) -> list[Use]:
        """Return what was counted since the last call, and begin anew.

        What was taken from quotas and not used is given back with it, so that other processes may.
        """
        used, self._used = self._used, []
        taken = []
        for tally in used:
            use = Use(
                key_id=tally.key_id,
                count=tally.pending,
                day=tally.day,
                on_day=tally.on_day - tally.left,
                at=tally.at or self._clock.now(),
                address=tally.address,
            )
            tally.pending = tally.on_day = tally.left = 0
            taken.append(use)
        return taken

    def give_back(self, uses: Sequence[Use]) -> None:
        """Count again what could not be written."""
        for use in uses:
            tally = self._tally(use.key_id)
            if not tally.pending:
                self._used.append(tally)
            tally.pending += use.count
            if tally.day == use.day:
                tally.on_day += max(0, use.on_day)
                tally.left += max(0, -use.on_day)
            tally.at, tally.address = tally.at or use.at, tally.address or use.address

    async def _load(self, text: str, now: datetime) -> Belief:
        try:
            secret_hash = KEY_FORMAT.hash_of(text)
        except NotASecret:
            raise KeyRefused(KeyFault.UNKNOWN) from None

        async def read() -> tuple[Belief, Sequence[str]]:
            async with self._runtime.reads() as session:
                found = await KeyReader(session).find_by_hash(secret_hash)
            if found is None:
                raise KeyRefused(KeyFault.UNKNOWN)
            if (fault := fault_of(found, now)) is not None:
                await self._refuse(found, fault)
            return self._believed(found), _subjects(found)

        return await self._entries.load(self._space.key(text), read)

    async def _refuse(self, found: FoundKey, fault: KeyFault) -> None:
        log.info("api_key_refused", key=str(found.id), fault=fault.value)
        if fault is KeyFault.HONEYTOKEN:
            await self._alarms.ring(found.id)
        raise KeyRefused(fault)

    def _believed(self, found: FoundKey) -> Belief:
        rate = found.rate_limit_per_minute
        return Belief(
            principal=_principal(found),
            good_until=found.ends_at or datetime.max.replace(tzinfo=self._clock.now().tzinfo),
            networks=tuple(ip_network(network) for network in found.networks),
            limit=Limit.of("api-key", (Window(rate, 60, "minute"),)) if rate is not None else None,
            quota=found.quota_per_day,
            tally=self._tally(found.id),
        )

    def _tally(self, key_id: UUID) -> Tally:
        tally = self._tallies.get(key_id)
        if tally is None:
            tally = self._tallies[key_id] = Tally(key_id)
        return tally

    async def _take(self, tally: Tally, quota: int, now: datetime) -> None:
        """Take one use of the day from what this process has taken of the quota, or some more of it.

        No number of processes makes more uses together than the quota has (ASVS 5.0 V2.3.4). What one has taken and
        not used is out of reach of the others until its next flush.

        Raises:
            RateLimited: the quota is used up until midnight, UTC (429).
        """
        async with tally.taking:  # so that those who ask at once wait for one slice and do not take one each
            if not tally.left and not tally.is_used_up(quota, now):
                await self._take_some(tally, quota, now)
            if not tally.left:
                raise _over(quota, now)
            tally.left -= 1

    async def _take_some(self, tally: Tally, quota: int, now: datetime) -> None:
        for count in sorted({max(1, quota // SLICES), 1}, reverse=True):
            if await self._quotas.take(tally.key_id, now.date(), count):
                tally.left += count
                return
        tally.used_up = quota, now + ASK_AGAIN

    def _count(self, tally: Tally, now: datetime, *, is_taken: bool) -> None:
        if not tally.pending and (tally.at is None or now - tally.at >= NOTE_USE_EVERY or not tally.address):
            tally.at, tally.address = now, current_request().client_address
        if not tally.pending:
            self._used.append(tally)
        tally.pending += 1
        if not is_taken:
            tally.on_day += 1

    async def _check_network(self, belief: Belief) -> None:
        text = current_request().client_address
        address = ip_address(text) if text else None
        if address is None or not any(address in network for network in belief.networks):
            log.info("api_key_refused", key=str(belief.tally.key_id), fault=KeyFault.NETWORK.value)
            await self._alarms.note_foreign_address(belief.principal)
            raise KeyRefused(KeyFault.NETWORK)

    async def _check_rate(self, limit: Limit, key_id: UUID, now: datetime) -> None:
        verdict = await self._runtime.get(Counters).hit(f"api-key:{key_id}", limit.windows)
        if not verdict.allowed:
            raise refusal_of(Standing(limit, verdict), now)


def fault_of(found: FoundKey, now: datetime) -> KeyFault | None:
    """Return what is wrong with a key; None if it is good. The first line that fits gives the answer."""
    ends_at = found.ends_at
    checks = (
        (found.kind is KeyKind.HONEYTOKEN, KeyFault.HONEYTOKEN),
        (found.revoked_at is not None and found.revoked_reason not in _BY_THE_CLOCK, KeyFault.REVOKED),
        (found.revoked_at is not None, KeyFault.EXPIRED),
        (ends_at is not None and ends_at <= now, KeyFault.EXPIRED),
        (found.is_holder_off, KeyFault.HOLDER_DISABLED),
        (found.is_organization_off, KeyFault.ORGANIZATION_DISABLED),
    )
    return next((fault for is_so, fault in checks if is_so), None)


def _subjects(found: FoundKey) -> tuple[str, ...]:
    own = (f"api_key:{found.id}", f"user:{found.principal_id}")
    return own if found.organization_id is None else (*own, f"tenant:{found.organization_id}")


def _principal(found: FoundKey) -> Principal:
    scopes = frozenset(found.scopes)
    where = found.organization_id
    if found.principal_id is None:
        raise KeyRefused(KeyFault.HONEYTOKEN)  # nobody else has no holder
    return Principal(
        id=PrincipalId(found.principal_id),
        kind=_KINDS[found.kind],
        credential=CredentialKind.API_KEY,
        credential_id=found.id,
        roles=found.roles,
        scopes=scopes,
        organization_id=OrganizationId(where) if where is not None else None,
    )


def _over(quota: int, now: datetime) -> RateLimited:
    midnight = (now + ONE_DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    wait = math.ceil((midnight - now).total_seconds())
    verdict = Verdict(allowed=False, limit=quota, remaining=0, reset_after=wait, retry_after=wait)
    return refusal_of(Standing(Limit.of("api-key", (Window(quota, 86_400, "day"),)), verdict), now)
