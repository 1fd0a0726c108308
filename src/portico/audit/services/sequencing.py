"""The sequencer: makes a chain of what was written without one.

Entries are written unchained, so that no sign-in waits for another. One process at a time, under a lease, follows
their numbers, hashes them into the chains of their streams in batches, and signs checkpoints. Numbers are given before
the commit, so on PostgreSQL an entry may show up after a later one: a missing number is remembered together with the
transactions that were under way, and looked for until none of them is. What is missing then never comes: on
PostgreSQL somebody rolled back; on SQLite, where writers queue and a roll-back returns its numbers, it was deleted.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from portico.audit.canonical import HEAD_FIELDS, gaps_text, genesis, head_mac, link_hash, state_mac
from portico.audit.checkpoints import Checkpoint, CheckpointKey
from portico.audit.repositories.chain import STATE_ROW, ChainRepository, NewLink
from portico.audit.repositories.raw import StoredEntry, lenient
from portico.audit.services.recording import record
from portico.audit.settings import AuditSettings
from portico.audit.trail_keys import TrailKeys
from portico.audit.types import PLATFORM, CheckpointKind, Head, Lag, OpenGap, Outcome, SequencerState
from portico.coordination.errors import LeaseTaken
from portico.coordination.leases import Lease, Leases
from portico.core.crypto import RootSecret
from portico.db.unit import Unit
from portico.runtime import Runtime

log = structlog.get_logger("portico.audit")

LEASE: Final = "audit.sequencer"
BATCH: Final = 2_000
MOST_DUE: Final = 200
TRIES: Final = 50
PAUSE_SECONDS: Final = 0.2
GAP, FORGED = "audit.gap_found", "audit.forgery_found"

type Ranges = tuple[tuple[int, int], ...]


@asynccontextmanager
async def chain_at_rest(runtime: Runtime) -> AsyncIterator[Lease]:
    """Hold the sequencer's lease; waits for its turn, which is over within a second where not very much waits.

    Raises:
        LeaseTaken: it was at work all the time (409).
    """
    for _ in range(TRIES):
        async with AsyncExitStack() as stack:
            try:
                lease = await stack.enter_async_context(runtime.get(Leases).hold(LEASE))
            except LeaseTaken:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            yield lease
            return
    raise LeaseTaken


@dataclass(slots=True)
class Found:
    """What one look at the entries found."""

    entries: list[StoredEntry] = field(default_factory=list)
    watermark: int = 0
    gaps: list[OpenGap] = field(default_factory=list)
    """Numbers that may still come."""
    lost: list[tuple[int, int]] = field(default_factory=list)
    """Numbers that do not come any more."""


class Sequencer:
    """Chains what waits; harmless where another process does so too."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = runtime.section(AuditSettings)
        self._key = CheckpointKey(runtime.secret)

    async def run(self) -> int:
        """Chain and sign all that waits, if nobody else is at it; return how many entries were chained."""
        async with self._runtime.reads() as session:
            if not await ChainRepository(session).exists_work(self._runtime.clock.now()):
                return 0
        try:
            async with self._runtime.get(Leases).hold(LEASE) as lease:
                return await self._work(lease)
        except LeaseTaken:
            return 0

    async def lag(self) -> Lag:
        """Return what waits."""
        async with self._runtime.reads() as session:
            return await ChainRepository(session).lag()

    async def _work(self, lease: Lease) -> int:
        total, is_more = 0, True
        while is_more and not lease.is_lost:
            chained, is_more = await self._chain(lease)
            total += chained
        while not lease.is_lost and await self._sign(lease) >= MOST_DUE:
            pass
        return total

    async def _chain(self, lease: Lease) -> tuple[int, bool]:
        """Chain one batch: read and hash with no transaction open, then write.

        Return how many entries it had, and whether there is more: a full batch, or what this one had to tell.
        """
        async with self._runtime.reads() as session, lenient(session):
            chain = ChainRepository(session)
            before = await chain.state()
            state = before or SequencerState(unsigned_until=await chain.last_unsigned())
            found = await self._look(chain, state)
            heads = await chain.heads(_stream(entry) for entry in found.entries if entry.is_whole)
            keys = await TrailKeys.of(self._runtime, session)
        if not found.entries and not found.lost and tuple(found.gaps) == state.gaps:
            return 0, False
        links, ends = self._linked(found.entries, heads, state.links)
        forged = [entry for entry in found.entries if _is_forged(entry, state, keys)]
        after = signed_state(
            self._runtime.secret,
            replace(
                state,
                watermark=found.watermark,
                links=state.links + len(links),
                gaps=tuple(found.gaps),
            ),
        )
        async with self._runtime.unit() as unit:
            lease.fence(unit)
            chain = ChainRepository(unit.session)
            if not await chain.advance(before, after):
                return 0, False
            if links:
                await chain.add_links(links)
                await chain.put_heads(ends)
            has_told = self._tell(found, forged, unit)
        return len(found.entries), has_told or len(found.entries) >= BATCH

    async def _look(self, chain: ChainRepository, state: SequencerState) -> Found:
        found = Found(watermark=state.watermark)
        if state.gaps:
            await self._look_for_late_ones(chain, state.gaps, found)
        if len(found.entries) >= BATCH:
            return found
        fresh = await chain.list_after(state.watermark, BATCH - len(found.entries))
        found.entries += fresh
        missing = _missing(state.watermark, [entry.seq for entry in fresh])
        if fresh:
            found.watermark = fresh[-1].seq
        if missing and self._runtime.database.is_sqlite:
            found.lost += missing
        elif missing:
            # Asked after the later numbers were seen: whoever may still bring a missing one is among them.
            running = await chain.running_transactions()
            found.gaps.append(OpenGap(tuple(missing), tuple(sorted(running))))
        return found

    async def _look_for_late_ones(
        self, chain: ChainRepository, gaps: Sequence[OpenGap], found: Found
    ) -> None:
        running = await chain.running_transactions()  # before the look: who is gone by now, can be seen by it
        for gap in gaps:
            room = BATCH - len(found.entries)
            late = await chain.list_within(gap.ranges, room) if room > 0 else []
            found.entries += late
            left = _without(gap.ranges, {entry.seq for entry in late})
            if not left:
                continue
            if len(late) < room and running.isdisjoint(gap.waits_for):
                found.lost += left
            else:
                found.gaps.append(OpenGap(left, gap.waits_for))

    def _linked(
        self, entries: Iterable[StoredEntry], known: Mapping[UUID, Head], count: int
    ) -> tuple[list[NewLink], list[Head]]:
        now = self._runtime.clock.now()
        heads: dict[UUID, Head] = dict(known)
        links: list[NewLink] = []
        for number, entry in enumerate((entry for entry in entries if entry.is_whole), count + 1):
            stream = _stream(entry)
            head = heads.get(stream) or Head(stream, 0, genesis(stream))
            position = head.position + 1
            hash_ = link_hash(head.hash, position, number, entry.leaf)
            links.append(NewLink(number, stream, position, UUID(entry.id), hash_))
            heads[stream] = replace(head, position=position, hash=hash_)
        touched = {link.stream for link in links}
        return links, [self._signed_head(self._with_due(heads[stream], now)) for stream in touched]

    def _with_due(self, head: Head, now: datetime) -> Head:
        if head.position - head.signed_position >= self._settings.checkpoint_after:
            return replace(head, due_at=now)
        return replace(head, due_at=head.due_at or now + self._settings.checkpoint_every)

    async def _sign(self, lease: Lease) -> int:
        """Sign the streams that are due; return how many they were."""
        now = self._runtime.clock.now()
        async with self._runtime.reads() as session:
            due = await ChainRepository(session).due_heads(now, MOST_DUE)
        if not due:
            return 0
        signed = [self._checkpoint(head, now) for head in due]
        async with self._runtime.unit() as unit:
            lease.fence(unit)
            chain = ChainRepository(unit.session)
            await chain.add_checkpoints(signed)
            await chain.put_heads([self._covered(head) for head in due])
        for checkpoint in signed:
            log.info("audit_checkpoint", checkpoint=str(checkpoint))
        return len(due)

    def _checkpoint(self, head: Head, now: datetime) -> Checkpoint:
        return self._key.sign(
            Checkpoint(
                stream=head.stream,
                number=head.checkpoints + 1,
                position=head.position,
                kind=CheckpointKind.REGULAR,
                at=now,
                hash=head.hash,
            )
        )

    def _covered(self, head: Head) -> Head:
        return self._signed_head(
            replace(head, checkpoints=head.checkpoints + 1, signed_position=head.position, due_at=None)
        )

    def _signed_head(self, head: Head) -> Head:
        return signed_head(self._runtime.secret, head)

    def _tell(self, found: Found, forged: Sequence[StoredEntry], unit: Unit) -> bool:
        """Write gaps and forgeries onto the trail itself, to be chained, shipped and seen; tell whether there are."""
        is_deletion = self._runtime.database.is_sqlite
        for first, last in found.lost:
            outcome = Outcome.FAILED if is_deletion else Outcome.SUCCESS
            reason = "deleted" if is_deletion else "rolled_back"
            say = log.error if is_deletion else log.info
            say("audit_gap", first=first, last=last, reason=reason)
            details = {"first": first, "last": last}
            record(self._runtime, unit, GAP, outcome=outcome, reason=reason, details=details)
        for entry in forged:
            log.error("audit_forgery", entry=entry.id, seq=entry.seq)
            details = {"seq": entry.seq}
            record(self._runtime, unit, FORGED, outcome=Outcome.FAILED, details=details)
        return bool(found.lost or forged)


def signed_head(secret: RootSecret, head: Head) -> Head:
    """Return a stream's end with its MAC."""
    return replace(head, mac=head_mac(secret, [getattr(head, name) for name in HEAD_FIELDS]))


def signed_state(secret: RootSecret, state: SequencerState) -> SequencerState:
    """Return the sequencer's state with its MAC."""
    values = (STATE_ROW, state.watermark, state.links, state.unsigned_until, gaps_text(state.gaps))
    return replace(state, mac=state_mac(secret, values))


def _is_forged(entry: StoredEntry, state: SequencerState, keys: TrailKeys) -> bool:
    if not entry.is_signed:
        return bool(entry.seq > state.unsigned_until)
    return not entry.is_whole or not keys.is_entry_mac(entry.canonical or b"", entry.mac, entry.seq)


def _stream(entry: StoredEntry) -> UUID:
    return UUID(entry.organization_id) if entry.organization_id else PLATFORM


def _missing(watermark: int, numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return the ranges that are not there between the watermark and the last of rising numbers."""
    ranges, expected = [], watermark + 1
    for number in numbers:
        if number > expected:
            ranges.append((expected, number - 1))
        expected = number + 1
    return ranges


def _without(ranges: Ranges, numbers: set[int]) -> Ranges:
    """Return the ranges without these numbers."""
    left: list[tuple[int, int]] = []
    for first, last in ranges:
        inside = sorted(number for number in numbers if first <= number <= last)
        left += _missing(first - 1, [*inside, last + 1])
    return tuple(left)
