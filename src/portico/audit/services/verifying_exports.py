"""Verifying an export: by its lines and the public key, without database and without secret."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from portico.audit.canonical import FIELDS, commitment_of, encode_document, entry_bytes, leaf_of, link_hash
from portico.audit.checkpoints import Checkpoint, CheckpointReader, find_checkpoint
from portico.audit.keeping import is_signed_let_go
from portico.audit.types import PLATFORM, CheckpointKind, Fault, LetGo, Verdict

KEYS = frozenset({"stream", "position", "link", "seq", "mac", "previous", "hash", "entry", "personal"})
LET_GO_KEYS = frozenset({"stream", "position", "link", "previous", "hash", "let_go"})
ENTRY_KEYS = frozenset({*FIELDS, "details_text", "changes_text"})


@dataclass(slots=True)
class _Run:
    """The entries of one stream that have been read since the last checkpoint."""

    stream: UUID
    first: int
    position: int
    hash: bytes


def verify_lines(lines: Iterable[str], public: CheckpointReader) -> Verdict:
    """Verify an export line by line; memory stays flat."""
    reading = _Reading(public)
    for line in lines:
        if line.strip():
            reading.take(line)
    reading.end()
    return reading.verdict


class _Reading:
    def __init__(self, public: CheckpointReader) -> None:
        self.verdict = Verdict()
        self._public = public
        self._run: _Run | None = None

    def take(self, line: str) -> None:
        """Take in one line."""
        try:
            told = json.loads(line)
            if "checkpoint" in told:
                self._close(find_checkpoint(told["checkpoint"]))
            elif "portico_audit_export" not in told:
                self._entry(told)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.verdict.add(Fault(f"a line cannot be read ({type(error).__name__})"))

    def end(self) -> None:
        """Take in that there are no more lines."""
        if self._run is not None:
            run = self._run
            self.verdict.add(Fault("no signed checkpoint covers this end", None, run.stream, run.position))
        if not self.verdict.checkpoints and self.verdict.is_sound:
            self.verdict.add(Fault("there is nothing signed in it"))

    def _entry(self, told: dict[str, Any]) -> None:
        stream = _stream(told["stream"])
        position, previous, hash_ = (
            told["position"],
            *(bytes.fromhex(told[each]) for each in ("previous", "hash")),
        )
        wrong_with = self._wrong_with_let_go if "let_go" in told else _wrong_with
        what = self._follows(stream, position, previous) or wrong_with(told, stream, previous, hash_)
        if what is not None:
            id_ = UUID(told["entry"]["id"]) if "entry" in told else None
            self.verdict.add(Fault(what, id_, stream, position))
        first = position if self._run is None else self._run.first
        self._run = _Run(stream, first, position, hash_)
        self.verdict.entries += 1

    def _wrong_with_let_go(
        self, told: dict[str, Any], stream: UUID, previous: bytes, hash_: bytes
    ) -> str | None:
        given = told["let_go"]
        let_go = LetGo(
            stream=stream,
            position=told["position"],
            link=told["link"],
            at=datetime.fromisoformat(given["at"]),
            leaf=bytes.fromhex(given["leaf"]),
            signature=bytes.fromhex(given["signature"]),
        )
        self.verdict.let_go += 1
        if told.keys() != LET_GO_KEYS or not is_signed_let_go(self._public, let_go):
            return "the entry is gone, and what stands for it was not signed by this key"
        is_linked = link_hash(previous, let_go.position, let_go.link, let_go.leaf) == hash_
        return None if is_linked else "what stands for the entry was changed"

    def _follows(self, stream: UUID, position: int, previous: bytes) -> str | None:
        run = self._run
        if run is None:
            self.verdict.streams += 1
            return None
        if stream != run.stream:
            return "another stream begins before the end of the one before it was signed"
        if position != run.position + 1:
            return f"what stood between positions {run.position} and {position} is missing"
        return None if previous == run.hash else "it does not follow what stands before it"

    def _close(self, checkpoint: Checkpoint | None) -> None:
        run, self._run = self._run, None
        if checkpoint is None or not self._public.is_good(checkpoint):
            self.verdict.add(
                Fault("a checkpoint was not signed by this key", None, run.stream if run else None)
            )
            return
        self.verdict.checkpoints += 1
        is_end = run is not None and (run.stream, run.first, run.position, run.hash) == (
            checkpoint.stream,
            checkpoint.number,
            checkpoint.position,
            checkpoint.hash,
        )
        if checkpoint.kind is not CheckpointKind.EXPORT or not is_end:
            what = f"what was signed is positions {checkpoint.number} to {checkpoint.position}, and not this"
            self.verdict.add(Fault(what, None, checkpoint.stream, run.position if run else None))


def _wrong_with(told: dict[str, Any], stream: UUID, previous: bytes, hash_: bytes) -> str | None:
    facts = told["entry"]
    if not (told.keys() <= KEYS and facts.keys() <= ENTRY_KEYS):
        return "it has fields that no entry has"
    values = [_text(facts, name) if name in {"details", "changes"} else facts[name] for name in FIELDS]
    mac = bytes.fromhex(told["mac"]) if told["mac"] is not None else None
    leaf = leaf_of(entry_bytes(values), told["seq"], mac)
    if (facts["organization_id"] or PLATFORM.hex) != stream.hex:
        return "it stands in another organization's stream"
    if link_hash(previous, told["position"], told["link"], leaf) != hash_:
        return "the entry was changed"
    if (personal := told.get("personal")) is None:
        return None
    kept = commitment_of(bytes.fromhex(personal["salt"]), _text(personal, "fields") or "").hex()
    return None if kept == facts["commitment"] else "its personal fields were changed"


def _text(facts: dict[str, Any], name: str) -> str | None:
    if f"{name}_text" in facts:
        text: str = facts[f"{name}_text"]
        return text if json.loads(text) == facts[name] else None
    return None if facts[name] is None else encode_document(facts[name])


def _stream(name: str) -> UUID:
    return PLATFORM if name == "platform" else UUID(name)
