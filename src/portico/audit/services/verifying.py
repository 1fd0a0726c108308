"""Verification: reads the whole trail as the database has it and tells what is not as it was written.

Each entry must carry its MAC and agree with its link, each link with the one before it, the last one with the head
under its MAC, signed checkpoints with the places that they name, personal fields with the entry's commitment to them;
no entry may be without a link, no place without an entry. Rows are read in batches by key, so memory stays flat.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from portico.audit.canonical import (
    HEAD_FIELDS,
    STATE_FIELDS,
    commitment_of,
    genesis,
    head_mac,
    link_hash,
    plain,
    read_gaps,
    state_mac,
)
from portico.audit.checkpoints import Checkpoint
from portico.audit.keeping import is_signed_let_go
from portico.audit.repositories.raw import StoredEntry, lenient
from portico.audit.repositories.reading import ChainReader, StoredLink
from portico.audit.services.reading_checkpoints import read_checkpoint
from portico.audit.services.recording import record
from portico.audit.trail_keys import TrailKeys
from portico.audit.types import PLATFORM, CheckpointKind, Fault, Outcome, SequencerState, Verdict
from portico.core.crypto import same
from portico.db.unit import DatabaseSession
from portico.runtime import Runtime

FAILED: Final = "audit.verification_failed"
BATCH: Final = 2_000
HEADS: Final = 500
WINDOW: Final = 50_000
"""How many numbers one look for entries without a link spans."""


@dataclass(slots=True)
class Place:
    """Where the verification of a stream stands; `hash` is None behind a hole, until the next link."""

    position: int
    hash: bytes | None


async def verify_trail(
    runtime: Runtime, *, organization_id: UUID | None = None, known: Sequence[Checkpoint] = ()
) -> Verdict:
    """Verify the whole trail, or one organization's; `known` are checkpoints that were kept elsewhere."""
    async with runtime.reads() as session, lenient(session):
        verification = Verification(runtime, session, known, await TrailKeys.of(runtime, session))
        if organization_id is None:
            await verification.verify_everything()
        else:
            await verification.verify_one(organization_id)
    return verification.verdict


async def note_failure(runtime: Runtime, verdict: Verdict) -> None:
    """Put on the trail that it is not as it was written, so that alerts hear of it."""
    first = verdict.faults[0]
    async with runtime.unit() as unit:
        record(
            runtime,
            unit,
            FAILED,
            outcome=Outcome.FAILED,
            reason=first.what[:200],
            details={"faults": len(verdict.faults) + verdict.more_faults, "entry": _id_text(first)},
        )


def _id_text(fault: Fault) -> str | None:
    return str(fault.entry_id) if fault.entry_id else None


class Verification:
    """One verification; what it finds stands in `verdict`."""

    def __init__(
        self, runtime: Runtime, session: DatabaseSession, known: Sequence[Checkpoint], keys: TrailKeys
    ) -> None:
        self.verdict = Verdict()
        self._secrets = (runtime.secret, *runtime.secret.accepted)
        self._keys = keys
        self._public = keys.checkpoints
        self._chain = ChainReader(session)
        self._known = known
        self._state = SequencerState()

    async def verify_everything(self) -> None:
        """Verify every stream, and that there is nothing besides."""
        await self._read_state()
        seen: set[UUID] = set()
        async for head in self._heads():
            stream = await self._verify_stream(head)
            if stream is not None and any(each.stream == stream for each in self._known):
                seen.add(stream)
        for checkpoint in self._known:
            if checkpoint.stream not in seen:
                self._fault("the stream of this checkpoint is gone", stream=checkpoint.stream)
        await self._verify_unlinked(None)
        await self._look_for_strays()

    async def verify_one(self, stream: UUID) -> None:
        """Verify one stream."""
        await self._read_state()
        head = await self._chain.find_head(stream)
        if head is not None:
            await self._verify_stream(head)
        elif any(each.stream == stream for each in self._known):
            self._fault("the stream of this checkpoint is gone", stream=stream)
        await self._verify_unlinked(stream)

    def _fault(
        self,
        what: str,
        *,
        entry: Any = None,
        stream: UUID | None = None,
        position: int | None = None,
    ) -> None:
        self.verdict.add(Fault(what, _id(entry), stream, position))

    async def _read_state(self) -> None:
        row = await self._chain.find_state()
        if row is None:
            return
        values = [getattr(row, name) for name in STATE_FIELDS]
        known = [plain(value) for value in values]
        if not any(_is_same(state_mac(secret, known), row.mac) for secret in self._secrets):
            self._fault("the sequencer's own row was changed")
        try:
            gaps = read_gaps(row.gaps)
        except (ValueError, TypeError):
            gaps = ()
        watermark, links, unsigned_until = (value if isinstance(value, int) else 0 for value in values[1:4])
        self._state = SequencerState(watermark, links, unsigned_until, gaps)

    async def _heads(self) -> AsyncIterator[Any]:
        after = None
        while heads := await self._chain.list_heads(after, HEADS):
            for head in heads:
                yield head
            after = heads[-1].stream

    async def _verify_stream(self, head: Any) -> UUID | None:
        stream = _id(plain(head.stream))
        if stream is None or not isinstance(head.position, int):
            self._fault("the end of a stream cannot be read")
            return None
        self.verdict.streams += 1
        values = [getattr(head, name) for name in HEAD_FIELDS]
        if not any(_is_same(head_mac(secret, values), head.mac) for secret in self._secrets):
            self._fault("the end of the stream was changed", stream=stream)
        signed, anchor = await self._verify_checkpoints(stream, head)
        place = Place(0, genesis(stream))
        if anchor is not None:
            place = Place(anchor.position, anchor.hash)
            signed = {at: hash_ for at, hash_ in signed.items() if at > anchor.position}
            self.verdict.pruned += anchor.position
        signed |= self._given(stream, place, head.position)
        await self._verify_links(stream, place, head.position, signed)
        if place.position < head.position:
            self._fault("the chain ends here, and should go on", stream=stream, position=place.position)
        elif place.hash is not None and place.hash != head.hash:
            self._fault("the last link is not the stream's end", stream=stream, position=place.position)
        return stream

    async def _verify_checkpoints(
        self, stream: UUID, head: Any
    ) -> tuple[dict[int, bytes], Checkpoint | None]:
        """Return the signed places, and where retention has cut the stream."""
        rows = await self._chain.list_checkpoints(stream)
        rows = [row for row in rows if not isinstance(row.number, int) or row.number <= head.checkpoints]
        signed: dict[int, bytes] = {}
        anchor: Checkpoint | None = None
        first = expected = rows[0].number if rows else 1
        for row in rows:
            checkpoint = read_checkpoint(row)
            if checkpoint is None or not self._public.is_good(checkpoint):
                self._fault(f"checkpoint {row.number} was changed", stream=stream, position=row.position)
            elif checkpoint.kind is CheckpointKind.ANCHOR:
                anchor = checkpoint
            else:
                signed[checkpoint.position] = checkpoint.hash
            if row.number != expected:
                self._fault(f"checkpoint {expected} is gone", stream=stream)
            expected = row.number + 1
        self.verdict.checkpoints += len(rows)
        if expected != head.checkpoints + 1:
            self._fault("the newest checkpoints are gone", stream=stream)
        if first != 1 and (anchor is None or first > anchor.number):
            self._fault("the oldest checkpoints are gone", stream=stream)
        return signed, anchor

    def _given(self, stream: UUID, place: Place, end: int) -> dict[int, bytes]:
        """Return what checkpoints from elsewhere say of a stream."""
        signed: dict[int, bytes] = {}
        for checkpoint in self._known:
            if checkpoint.stream != stream:
                continue
            if not self._public.is_good(checkpoint):
                self._fault("the given checkpoint was not signed here", stream=stream)
            elif checkpoint.position > end:
                self._fault("the chain is shorter than the given checkpoint", stream=stream, position=end)
            elif checkpoint.position == place.position and checkpoint.hash != place.hash:
                self._fault("differs from the given checkpoint", stream=stream, position=end)
            elif checkpoint.position > place.position:
                signed[checkpoint.position] = checkpoint.hash
        return signed

    async def _verify_links(self, stream: UUID, place: Place, end: int, signed: Mapping[int, bytes]) -> None:
        digits = None if stream == PLATFORM else stream.hex
        left = dict(signed)
        while links := await self._chain.list_stream(stream, place.position, BATCH, end):
            for link in links:
                self._verify_link(link, stream, digits, place)
                if place.position in left and left.pop(place.position) != link.hash:
                    self._fault(
                        "differs from its signed checkpoint",
                        entry=plain(link.entry_id),
                        stream=stream,
                        position=place.position,
                    )
        for position in sorted(left):
            if position > 0:
                self._fault("what a checkpoint covers is gone", stream=stream, position=position)

    def _verify_link(self, link: StoredLink, stream: UUID, digits: str | None, place: Place) -> None:
        entry, position = link.entry, place.position + 1
        name = plain(link.entry_id)
        if link.position != position:
            self._fault("no entry stands here any more", stream=stream, position=position)
            place.hash = None
        place.position = link.position
        previous, place.hash = place.hash, link.hash
        self.verdict.entries += 1
        what = self._wrong_with_link(link, digits)
        leaf = entry.leaf if entry is not None else link.let_go.leaf if link.let_go is not None else b""
        if what is None and previous is not None:
            expected = link_hash(previous, link.position, link.seq, leaf)
            what = None if expected == link.hash else "its place in the chain was changed"
        if entry is not None and what is None:
            what = self._wrong_with_personal(entry, link.salt, link.personal)
        if what is not None:
            self._fault(what, entry=name, stream=stream, position=link.position)

    def _wrong_with_link(self, link: StoredLink, digits: str | None) -> str | None:
        """Say what is wrong with the entry of a link, or with what stands for it."""
        if link.let_go is None:
            return self._wrong_with(link.entry, digits)
        if link.entry is not None:
            return "the entry was let go, and is there again"
        self.verdict.let_go += 1
        is_ours = is_signed_let_go(self._public, link.let_go)
        return None if is_ours else "the entry is gone, and what stands for it was not signed here"

    def _wrong_with(self, entry: StoredEntry | None, digits: str | None) -> str | None:
        """Say what is wrong with an entry by itself."""
        if entry is None:
            return "the entry is gone"
        if not entry.is_whole:
            return "the entry cannot be read"
        if entry.organization_id != digits:
            return "the entry was moved to another organization"
        return self._wrong_with_mac(entry)

    def _wrong_with_mac(self, entry: StoredEntry) -> str | None:
        if not entry.is_whole:
            return "the entry cannot be read"
        if not entry.is_signed:
            return None if entry.seq <= self._state.unsigned_until and entry.mac is None else "carries no MAC"
        if entry.canonical is None or not self._keys.is_entry_mac(entry.canonical, entry.mac, entry.seq):
            return "the entry was changed"
        return None

    def _wrong_with_personal(self, entry: StoredEntry, salt: Any, fields: Any) -> str | None:
        if entry.commitment is None:
            return None if salt is None else "personal fields were added"
        if salt is None:
            self.verdict.erased += 1
            return None
        if not isinstance(salt, bytes) or not isinstance(fields, str):
            return "its personal fields cannot be read"
        is_kept = commitment_of(salt, fields).hex() == entry.commitment
        return None if is_kept else "its personal fields were changed"

    async def _verify_unlinked(self, stream: UUID | None) -> None:
        """Verify what waits for its link; what should have one has none any more."""
        lowest, highest = await self._chain.entry_numbers()
        for first in range(lowest, highest + 1, WINDOW):
            entries = await self._chain.list_unlinked(first, first + WINDOW - 1, stream)
            whole = [entry.id for entry in entries if entry.is_whole]
            personal = await self._chain.personal_of_unlinked(whole) if whole else {}
            for entry in entries:
                salt, fields = personal.get(entry.id, (None, None))
                what = self._wrong_with_mac(entry) or self._wrong_with_personal(entry, salt, fields)
                if what is None and not self._may_wait(entry.seq):
                    what = "no link leads to it"
                if what is not None:
                    self._fault(what, entry=entry.id)
                self.verdict.waiting += 1

    def _may_wait(self, seq: int) -> bool:
        return seq > self._state.watermark or any(
            first <= seq <= last for gap in self._state.gaps for first, last in gap.ranges
        )

    async def _look_for_strays(self) -> None:
        if (entry_id := await self._chain.find_strange_personal()) is not None:
            self._fault("personal fields that belong to no entry", entry=plain(entry_id))
        if (link := await self._chain.find_strange_link()) is not None:
            self._fault("a link of a stream without an end", entry=plain(link))
        if (let_go := await self._chain.find_strange_let_go()) is not None:
            self._fault(f"link {let_go} was let go, and there is none")
        if (checkpoint := await self._chain.find_strange_checkpoint()) is not None:
            self._fault(f"checkpoint {checkpoint} of a stream without an end")
        total, written = await self._chain.lengths()
        if total != (written or 0):
            self._fault(f"{written or 0} links were written, and the streams have {total}")
        if missing := await self._chain.missing_at_the_end(self._state.watermark):
            self._fault(f"{missing} of the newest entries were deleted before they were chained")


def _is_same(mac: bytes, stored: Any) -> bool:
    return isinstance(stored, bytes) and same(mac, stored)


def _id(digits: Any) -> UUID | None:
    try:
        return UUID(digits) if isinstance(digits, str) and UUID(digits).hex == digits else None
    except ValueError:
        return None
