"""Exporting a stretch of the trail, so that it can be read, searched and verified without us.

JSON lines: a head, then one object an entry with its place, the hash before it and its own, and behind each stream a
signed checkpoint of its end. Whoever has the public key finds every change, deletion and reordering in it
(`verifying_exports`). CSV is for spreadsheets and proves nothing; a cell that one would take for a formula gets a quote
in front.
Source: ASVS 5.0 V1.2.10.
"""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from portico.audit.canonical import (
    document_of,
    encode_document,
    genesis,
    plain,
)
from portico.audit.checkpoints import Checkpoint, CheckpointKey
from portico.audit.keeping import is_signed_let_go, signed_let_go
from portico.audit.repositories.raw import StoredEntry, lenient
from portico.audit.repositories.reading import ChainReader, StoredLink
from portico.audit.services.recording import record
from portico.audit.trail_keys import TrailKeys
from portico.audit.types import PLATFORM, CheckpointKind, LetGo, stream_name
from portico.runtime import Runtime

BATCH: Final = 1_000
HEADS: Final = 500
VERSION: Final = 1
EXPORTED: Final = "audit.exported"
MOST_STREAMS: Final = 100_000
DOCUMENTS: Final = ("details", "changes")
COLUMNS: Final = (
    "stream", "position", "at", "action", "outcome", "actor_id", "on_behalf_of_id", "subject_type", "subject_id",
    "organization_id", "session_id", "credential_id", "request_id", "reason", "details", "changes", "personal", "id",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What is exported: one organization or all, and in each stream all places between two moments.

    A stretch has no holes: what was chained between the first and the last entry that fit is exported with them.
    """

    organization_id: UUID | None = None
    is_everything: bool = True
    since: datetime | None = None
    until: datetime | None = None


class Export:
    """One export."""

    def __init__(self, runtime: Runtime, stretch: Stretch, *, with_personal: bool = True) -> None:
        self._runtime = runtime
        self._stretch = stretch
        self._with_personal = with_personal
        self._key = CheckpointKey(runtime.secret)

    async def json_lines(self) -> AsyncIterator[str]:
        """Yield the lines of an export that verifies by itself."""
        yield _line({"portico_audit_export": VERSION, "public_key": str(self._key.public)})
        async with self._runtime.reads() as session, lenient(session):
            chain, keys = ChainReader(session), await TrailKeys.of(self._runtime, session)
            async for stream, first, last in self._stretches(chain):
                previous, position = await self._hash_before(chain, stream, first), first - 1
                async for link in _links(chain, stream, first, last):
                    if link.entry is not None:
                        yield _line(self._told(link, link.entry, stream, previous))
                    elif link.let_go is not None and is_signed_let_go(keys.checkpoints, link.let_go):
                        yield _line(self._told_let_go(link.let_go, link.hash, previous))
                    previous, position = link.hash, link.position
                end = self._end(stream, first, position, previous)
                yield _line({"checkpoint": str(end)})

    async def csv_lines(self) -> AsyncIterator[str]:
        """Yield the lines of a table."""
        yield _row(COLUMNS)
        async with self._runtime.reads() as session, lenient(session):
            chain = ChainReader(session)
            async for stream, first, last in self._stretches(chain):
                async for link in _links(chain, stream, first, last):
                    if link.entry is not None:
                        facts = link.entry.fields | {
                            "stream": stream_name(stream),
                            "position": link.position,
                            "personal": link.personal if self._with_personal else None,
                        }
                        yield _row(facts[name] for name in COLUMNS)

    async def _stretches(self, chain: ChainReader) -> AsyncIterator[tuple[UUID, int, int]]:
        async for stream, end in self._streams(chain):
            anchor = await chain.find_anchor(stream)
            first, last = (anchor.position if anchor else 0) + 1, end
            if self._stretch.since is not None:
                found = await chain.position_at(stream, since=self._stretch.since, until=None)
                first = max(first, end + 1 if found is None else found)
            if self._stretch.until is not None:
                last = await chain.position_at(stream, since=None, until=self._stretch.until) or 0
            if first <= last:
                yield stream, first, last

    async def _streams(self, chain: ChainReader) -> AsyncIterator[tuple[UUID, int]]:
        if not self._stretch.is_everything:
            head = await chain.find_head(self._stretch.organization_id or PLATFORM)
            if head is not None:
                yield UUID(plain(head.stream)), head.position
            return
        after = None
        while heads := await chain.list_heads(after, HEADS):
            for head in heads:
                yield UUID(plain(head.stream)), head.position
            after = heads[-1].stream

    async def _hash_before(self, chain: ChainReader, stream: UUID, first: int) -> bytes:
        if first == 1:
            return genesis(stream)
        found = await chain.find_hash(stream, first - 1)
        anchor = await chain.find_anchor(stream)
        return found or (anchor.hash if anchor else genesis(stream))

    def _told(self, link: StoredLink, entry: StoredEntry, stream: UUID, previous: bytes) -> dict[str, Any]:
        facts = entry.fields
        told: dict[str, Any] = {
            "stream": stream_name(stream),
            "position": link.position,
            "link": link.seq,
            "seq": entry.seq,
            "mac": plain(entry.mac),
            "previous": plain(previous),
            "hash": plain(link.hash),
            "entry": facts,
        }
        for name in DOCUMENTS:
            _unfold(facts, name)
        if self._with_personal and link.salt is not None:
            told["personal"] = {"salt": plain(link.salt), "fields": link.personal}
            _unfold(told["personal"], "fields")
        return told

    def _told_let_go(self, let_go: LetGo, hash_: bytes, previous: bytes) -> dict[str, Any]:
        """Tell what stands for an entry, signed once more: by the key of this export."""
        return {
            "stream": stream_name(let_go.stream),
            "position": let_go.position,
            "link": let_go.link,
            "previous": plain(previous),
            "hash": plain(hash_),
            "let_go": {
                "at": let_go.at.isoformat(),
                "leaf": plain(let_go.leaf),
                "signature": plain(signed_let_go(self._key, let_go)),
            },
        }

    def _end(self, stream: UUID, first: int, position: int, hash_: bytes) -> Checkpoint:
        return self._key.sign(
            Checkpoint(
                stream=stream,
                number=first,
                position=position,
                kind=CheckpointKind.EXPORT,
                at=self._runtime.clock.now(),
                hash=hash_,
            )
        )


async def _links(chain: ChainReader, stream: UUID, first: int, last: int) -> AsyncIterator[StoredLink]:
    after = first - 1
    while links := await chain.list_stream(stream, after, BATCH, last):
        for link in links:
            yield link
        after = links[-1].position


def _unfold(facts: dict[str, Any], name: str) -> None:
    """Let a document be an object, as long as its text can be made from it again; the text stands beside it else."""
    text = facts[name]
    if text is None:
        return
    document = document_of(text)
    if encode_document(document) != text:
        facts[f"{name}_text"] = text
    facts[name] = document


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"


def _row(cells: Iterable[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([_harmless(cell) for cell in cells])
    return out.getvalue()


def _harmless(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


async def note_export(runtime: Runtime, stretch: Stretch, form: str) -> None:
    """Keep that an export was begun, on the trail that it is of."""
    details = {
        "format": form,
        "since": stretch.since and stretch.since.isoformat(),
        "until": stretch.until and stretch.until.isoformat(),
    }
    async with (unit := runtime.unit()):
        record(runtime, unit, EXPORTED, organization_id=stretch.organization_id, details=details)


async def newest_checkpoints(runtime: Runtime, organization_id: UUID | None = None) -> list[Checkpoint]:
    """Return the newest signed checkpoint of each stream, or of an organization's."""
    async with runtime.reads() as session:
        return await ChainReader(session).newest_checkpoints(organization_id, MOST_STREAMS)
