"""Reading the chain: for followers by the number of links, for verification and export by stream and position."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, literal, or_, select, text

from portico.audit.canonical import HEAD_FIELDS, STATE_FIELDS, plain, time_text
from portico.audit.checkpoints import Checkpoint
from portico.audit.models import (
    AuditCheckpoint,
    AuditEntry,
    AuditHead,
    AuditLetGo,
    AuditLink,
    AuditPersonal,
    AuditSequencer,
)
from portico.audit.repositories.raw import ENTRY_COLUMNS, StoredEntry, raw, stored_entry
from portico.audit.repositories.trail import entry_value
from portico.audit.types import ChainedEntry, CheckpointKind, LetGo
from portico.db.repositories import Repository

_LINK_COLUMNS = tuple(
    raw(getattr(AuditLink, name)).label(f"link_{name}")
    for name in ("seq", "stream", "position", "entry_id", "hash")
)
_HEAD_COLUMNS = tuple(raw(getattr(AuditHead, name)).label(name) for name in (*HEAD_FIELDS, "mac"))
_CHECKPOINT = tuple(Checkpoint.__dataclass_fields__)
_LET_GO_COLUMNS = tuple(
    raw(getattr(AuditLetGo, name)).label(f"let_go_{name}") for name in ("leaf", "at", "signature")
)
_PERSONAL_COLUMNS = (raw(AuditPersonal.salt).label("salt"), raw(AuditPersonal.fields).label("fields"))


@dataclass(frozen=True, slots=True)
class StoredLink:
    """A link with what it leads to, as the database has it; `entry` is None where it leads nowhere."""

    seq: Any
    stream: Any
    position: Any
    entry_id: Any
    hash: Any
    entry: StoredEntry | None
    salt: Any
    personal: Any
    let_go: LetGo | None = None
    """What stands for the entry; None also where the row cannot be read."""


class ChainReader(Repository[AuditLink]):
    """Reads in batches by key, so that memory stays flat however long the trail is."""

    async def list_links_after(self, link: int, limit: int) -> list[ChainedEntry]:
        """Return the entries behind a link, in the order in which they were linked."""
        query = (
            select(AuditLink, AuditEntry, AuditPersonal.fields)
            .join(AuditEntry, AuditEntry.id == AuditLink.entry_id)
            .outerjoin(AuditPersonal, AuditPersonal.entry_id == AuditEntry.id)
            .where(AuditLink.seq > link)
            .order_by(AuditLink.seq)
            .limit(limit)
        )
        return [
            ChainedEntry(found.seq, found.stream, found.position, found.hash, entry_value(entry, fields))
            for found, entry, fields in await self.session.execute(query)
        ]

    async def last_link(self) -> int:
        """Return the number of the newest link, 0 if there is none."""
        return await self.session.scalar(select(func.max(AuditLink.seq))) or 0

    async def list_stream(
        self, stream: UUID, after: int, limit: int, until: int | None = None
    ) -> list[StoredLink]:
        """Return the links of a stream behind a position, with their entries as they are stored."""
        query = (
            select(*ENTRY_COLUMNS, *_LINK_COLUMNS, *_PERSONAL_COLUMNS, *_LET_GO_COLUMNS)
            .select_from(AuditLink)
            .outerjoin(AuditLetGo, AuditLetGo.link == AuditLink.seq)
            .outerjoin(AuditEntry, AuditEntry.id == AuditLink.entry_id)
            .outerjoin(AuditPersonal, AuditPersonal.entry_id == AuditEntry.id)
            .where(AuditLink.stream == stream, AuditLink.position > after)
            .order_by(AuditLink.position)
            .limit(limit)
        )
        if until is not None:
            query = query.where(AuditLink.position <= until)
        return [_stored_link(row) for row in await self.session.execute(query)]

    async def list_heads(self, after: Any, limit: int) -> list[Row[Any]]:
        """Return the ends of streams raw, in the order of their ids."""
        query = select(*_HEAD_COLUMNS).order_by(AuditHead.stream).limit(limit)
        if after is not None:
            query = query.where(raw(AuditHead.stream) > raw(literal(after)))
        return list((await self.session.execute(query)).all())

    async def find_head(self, stream: UUID) -> Row[Any] | None:
        """Return the end of a stream, raw."""
        query = select(*_HEAD_COLUMNS).where(AuditHead.stream == stream)
        return (await self.session.execute(query)).one_or_none()

    async def find_state(self) -> Row[Any] | None:
        """Return the sequencer's row, raw."""
        columns = (raw(getattr(AuditSequencer, name)).label(name) for name in (*STATE_FIELDS, "mac"))
        return (await self.session.execute(select(*columns))).one_or_none()

    async def list_checkpoints(self, stream: UUID) -> list[Row[Any]]:
        """Return the checkpoints of a stream raw, in the order of their numbers: some thousands a year."""
        query = (
            select(*(raw(getattr(AuditCheckpoint, name)).label(name) for name in _CHECKPOINT))
            .where(AuditCheckpoint.stream == stream)
            .order_by(AuditCheckpoint.number)
        )
        return list((await self.session.execute(query)).all())

    async def find_anchor(self, stream: UUID) -> Checkpoint | None:
        """Return the newest place up to which retention has deleted a stream."""
        anchors = select(AuditCheckpoint).where(
            AuditCheckpoint.stream == stream, AuditCheckpoint.kind == CheckpointKind.ANCHOR
        )
        row = await self.session.scalar(anchors.order_by(AuditCheckpoint.number.desc()).limit(1))
        return checkpoint_value(row) if row else None

    async def newest_checkpoints(self, stream: UUID | None, limit: int) -> list[Checkpoint]:
        """Return the newest checkpoint of each stream, or of one."""
        newest = (
            select(AuditCheckpoint.stream, func.max(AuditCheckpoint.number).label("number"))
            .group_by(AuditCheckpoint.stream)
            .order_by(AuditCheckpoint.stream)
            .limit(limit)
        )
        if stream is not None:
            newest = newest.where(AuditCheckpoint.stream == stream)
        latest = newest.subquery()
        query = select(AuditCheckpoint).join(
            latest,
            and_(latest.c.stream == AuditCheckpoint.stream, latest.c.number == AuditCheckpoint.number),
        )
        return [checkpoint_value(row) for row in await self.session.scalars(query)]

    async def list_unlinked(self, first: int, last: int, stream: UUID | None = None) -> list[StoredEntry]:
        """Return the entries with numbers from `first` to `last` that no link leads to."""
        query = (
            select(*ENTRY_COLUMNS)
            .where(
                AuditEntry.seq.between(first, last),
                ~exists().where(AuditLink.entry_id == AuditEntry.id),
            )
            .order_by(AuditEntry.seq)
        )
        if stream is not None:
            query = query.where(_is_of(stream))
        return [stored_entry(row) for row in await self.session.execute(query)]

    async def entry_numbers(self) -> tuple[int, int]:
        """Return the lowest and the highest number of an entry; 0 and -1 if there is none."""
        row = (await self.session.execute(select(func.min(AuditEntry.seq), func.max(AuditEntry.seq)))).one()
        return row[0] or 0, row[1] or -1

    async def personal_of_unlinked(self, entry_ids: Sequence[Any]) -> dict[Any, tuple[Any, Any]]:
        """Return salt and fields by the raw id of their entry."""
        query = select(raw(AuditPersonal.entry_id), *_PERSONAL_COLUMNS).where(
            AuditPersonal.entry_id.in_([UUID(each) for each in entry_ids])
        )
        return {plain(row[0]): (row[1], row[2]) for row in await self.session.execute(query)}

    async def find_strange_personal(self) -> Any:
        """Return the id of personal fields that belong to no entry, or to one that speaks of none."""
        query = (
            select(raw(AuditPersonal.entry_id))
            .outerjoin(AuditEntry, AuditEntry.id == AuditPersonal.entry_id)
            .where(or_(AuditEntry.seq.is_(None), AuditEntry.commitment.is_(None)))
        )
        return await self.session.scalar(query.limit(1))

    async def find_strange_link(self) -> Any:
        """Return the id of an entry whose link is of a stream that has no end."""
        query = select(raw(AuditLink.entry_id)).where(~exists().where(AuditHead.stream == AuditLink.stream))
        return await self.session.scalar(query.limit(1))

    async def find_strange_let_go(self) -> int | None:
        """Return the number of a link for which something stands, and which there is not."""
        query = select(AuditLetGo.link).where(~exists().where(AuditLink.seq == AuditLetGo.link))
        return await self.session.scalar(query.limit(1))

    async def find_strange_checkpoint(self) -> int | None:
        """Return the number of a checkpoint of a stream that has no end."""
        query = select(AuditCheckpoint.number).where(
            ~exists().where(AuditHead.stream == AuditCheckpoint.stream)
        )
        return await self.session.scalar(query.limit(1))

    async def lengths(self) -> tuple[int, int | None]:
        """Return the sum of the lengths of all streams, and how many links the sequencer has ever written."""
        total = select(func.sum(AuditHead.position)).scalar_subquery()
        written = select(AuditSequencer.links).limit(1).scalar_subquery()
        row = (await self.session.execute(select(total, written))).one()
        return int(row[0] or 0), row[1]

    async def missing_at_the_end(self, watermark: int) -> int:
        """Return how many of the newest numbers SQLite gave away lead to no entry; 0 on PostgreSQL, where all may."""
        if self.session.get_bind().dialect.name != "sqlite":
            return 0
        given = text("(SELECT seq FROM sqlite_sequence WHERE name = 'portico_audit_entries')")
        waiting = select(func.count()).where(AuditEntry.seq > watermark).scalar_subquery()
        last, count = (await self.session.execute(select(given, waiting))).one()
        return max(int(last or 0) - watermark - int(count), 0)

    async def find_hash(self, stream: UUID, position: int) -> bytes | None:
        """Return the hash of a link."""
        query = select(AuditLink.hash).where(AuditLink.stream == stream, AuditLink.position == position)
        return await self.session.scalar(query)

    async def position_at(
        self, stream: UUID, *, since: datetime | None, until: datetime | None
    ) -> int | None:
        """Return the first position of an entry from `since` on, or the last one before `until`."""
        edge: Any = func.min(AuditLink.position) if since is not None else func.max(AuditLink.position)
        query: Select[tuple[int | None]] = select(edge).join(AuditEntry, AuditEntry.id == AuditLink.entry_id)
        query = query.where(AuditLink.stream == stream)
        if since is not None:
            query = query.where(AuditEntry.at >= since)
        if until is not None:
            query = query.where(AuditEntry.at < until)
        position: int | None = await self.session.scalar(query)
        return position


def checkpoint_value(row: Any) -> Checkpoint:
    """Return a stored checkpoint as a value."""
    return Checkpoint(**{name: getattr(row, name) for name in _CHECKPOINT})


def _is_of(stream: UUID) -> ColumnElement[bool]:
    return AuditEntry.organization_id.is_(None) if not stream.int else AuditEntry.organization_id == stream


def _stored_link(row: Sequence[Any]) -> StoredLink:
    *_, seq, stream, position, entry_id, hash_, salt, personal, leaf, at, signature = row
    entry = stored_entry(row) if row[0] is not None else None
    let_go = _let_go((stream, position, seq), at, leaf, signature) if leaf is not None else None
    return StoredLink(seq, stream, position, entry_id, hash_, entry, salt, personal, let_go)


def _let_go(place: tuple[Any, Any, Any], at: Any, leaf: Any, signature: Any) -> LetGo | None:
    """Return what stands for an entry, or None if it cannot be read, or would be read the same after a change."""
    stream, position, link = place
    if not isinstance(leaf, bytes) or not isinstance(signature, bytes):
        return None
    try:
        when = at if isinstance(at, datetime) else datetime.fromisoformat(at).replace(tzinfo=UTC)
        found = LetGo(
            stream=UUID(plain(stream)), position=position, link=link, at=when, leaf=leaf, signature=signature
        )
    except (TypeError, ValueError):
        return None
    return found if time_text(when) == plain(at) else None
