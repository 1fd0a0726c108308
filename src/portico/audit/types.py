"""Words of the trail, and its values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

PLATFORM = UUID(int=0)
"""The stream of what belongs to no organization."""


class Outcome(StrEnum):
    """How the act ended."""

    SUCCESS = "success"
    REFUSED = "refused"
    FAILED = "failed"


class TrailSort(StrEnum):
    """What the trail may be sorted by."""

    AT = "at"


class CheckpointKind(StrEnum):
    """Why a place in the chain was signed."""

    REGULAR = "regular"
    ANCHOR = "anchor"
    """What came before was deleted by retention; the chain begins behind it."""
    EXPORT = "export"
    """The end of an export; its number is the first position in it. Stored nowhere else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailEntry:
    """One entry. `personal` is what the side table still knows; None once it was erased, or if there never was any."""

    id: UUID
    at: datetime
    action: str
    outcome: Outcome
    organization_id: UUID | None
    actor_id: UUID | None
    on_behalf_of_id: UUID | None
    subject_type: str | None
    subject_id: UUID | None
    session_id: UUID | None
    credential_id: UUID | None
    request_id: str | None
    reason: str | None
    details: Mapping[str, Any]
    changes: Mapping[str, Any] | None
    personal: Mapping[str, Any] | None

    @property
    def client_address(self) -> str | None:
        """Return from where the act came, as long as it is known."""
        return (self.personal or {}).get("client_address")

    @property
    def user_agent(self) -> str | None:
        """Return what the client said of itself, as long as it is known."""
        return (self.personal or {}).get("user_agent")


@dataclass(frozen=True, slots=True)
class ChainedEntry:
    """An entry and its place: `link` counts over all streams, `position` in its own; both from 1."""

    link: int
    stream: UUID
    position: int
    hash: bytes
    entry: TrailEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class LetGo:
    """What stands in the chain for an entry whose time was over: its place, its digest, and when it went."""

    stream: UUID
    position: int
    link: int
    at: datetime
    leaf: bytes
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailFilter:
    """Which entries; what is None filters nothing. `action_prefix` of `session.` finds `session.created`."""

    organization_id: UUID | None = None
    actor_id: UUID | None = None
    subject_id: UUID | None = None
    subject_type: str | None = None
    action: str | None = None
    action_prefix: str | None = None
    outcome: Outcome | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a stream: its last link, how many checkpoints it has, and how far the newest one reaches."""

    stream: UUID
    position: int
    hash: bytes
    checkpoints: int = 0
    signed_position: int = 0
    due_at: datetime | None = None
    """When the next checkpoint is to be signed; None when every link is covered."""
    mac: bytes = b""


@dataclass(frozen=True, slots=True)
class OpenGap:
    """Numbers that were not there when later ones were, and the transactions that may still bring them."""

    ranges: tuple[tuple[int, int], ...]
    waits_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SequencerState:
    """How far the chain has come: entries up to `watermark` are linked, but for those in `gaps`."""

    watermark: int = 0
    links: int = 0
    unsigned_until: int = 0
    """Entries without a MAC, from before there was one, have numbers up to this."""
    gaps: tuple[OpenGap, ...] = ()
    mac: bytes = b""


@dataclass(frozen=True, slots=True)
class Lag:
    """What waits for the sequencer: how many entries, since when the oldest, and numbers that may yet come."""

    waiting: int
    oldest: datetime | None
    open_gaps: int
    links: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was written; `entry_id` and `place` name where."""

    what: str
    entry_id: UUID | None = None
    stream: UUID | None = None
    position: int | None = None

    def __str__(self) -> str:
        where = [f"entry {self.entry_id}"] if self.entry_id else []
        if self.stream is not None:
            where.append(f"stream {stream_name(self.stream)}")
        if self.position is not None:
            where.append(f"position {self.position}")
        return f"{', '.join(where)}: {self.what}" if where else self.what


@dataclass(slots=True)
class Verdict:
    """What a verification found: no faults is a proof. Faults beyond the first twenty are counted only."""

    entries: int = 0
    streams: int = 0
    waiting: int = 0
    erased: int = 0
    pruned: int = 0
    let_go: int = 0
    """Entries whose digest alone is left, signed by retention."""
    checkpoints: int = 0
    faults: list[Fault] = field(default_factory=list)
    more_faults: int = 0

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.faults

    def add(self, fault: Fault) -> None:
        """Take in a fault."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)
        else:
            self.more_faults += 1


MOST_FAULTS = 20


def stream_name(stream: UUID) -> str:
    """Return a stream as people call it."""
    return "platform" if stream == PLATFORM else str(stream)


def stream_of(organization_id: UUID | None) -> UUID:
    """Return the stream that holds an organization's part."""
    return organization_id or PLATFORM
