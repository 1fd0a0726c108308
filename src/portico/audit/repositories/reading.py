"""Reading the chain: for followers by the number of links, for verification and export by stream and position."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, or_, select, text

from portico.audit.checkpoints import Checkpoint
from portico.audit.models import AuditCheckpoint, AuditEntry, AuditHead, AuditLink, AuditPersonal
from portico.audit.repositories.raw import ENTRY_COLUMNS, StoredEntry, raw, stored_entry
from portico.audit.repositories.trail import entry_value
from portico.audit.types import ChainedEntry, CheckpointKind
from portico.db.repositories import Repository

_LINK_COLUMNS = tuple(
    raw(getattr(AuditLink, name)).label(f"link_{name}")
    for name in ("seq", "stream", "position", "entry_id", "hash")
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
            select(*ENTRY_COLUMNS, *_LINK_COLUMNS, *_PERSONAL_COLUMNS)
            .select_from(AuditLink)
            .outerjoin(AuditEntry, AuditEntry.id == AuditLink.entry_id)
            .outerjoin(AuditPersonal, AuditPersonal.entry_id == AuditEntry.id)
            .where(AuditLink.stream == stream, AuditLink.position > after)
            .order_by(AuditLink.position)
            .limit(limit)
        )
        if until is not None:
            query = query.where(AuditLink.position <= until)
        return [_stored_link(row) for row in await self.session.execute(query)]

    async def list_heads(self, after: UUID | None, limit: int) -> list[AuditHead]:
        """Return the ends of streams, by the order of their ids."""
        query = select(AuditHead).order_by(AuditHead.stream).limit(limit)
        if after is not None:
            query = query.where(AuditHead.stream > after)
        return list(await self.session.scalars(query))

    async def find_head(self, stream: UUID) -> AuditHead | None:
        """Return the end of a stream."""
        return await self.session.scalar(select(AuditHead).where(AuditHead.stream == stream))

    async def list_checkpoints(self, stream: UUID, after: int, limit: int) -> list[Row[Any]]:
        """Return the checkpoints of a stream behind a number, raw, in the order of their numbers."""
        query = (
            select(*(raw(getattr(AuditCheckpoint, name)).label(name) for name in _CHECKPOINT))
            .where(AuditCheckpoint.stream == stream, AuditCheckpoint.number > after)
            .order_by(AuditCheckpoint.number)
            .limit(limit)
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

    async def list_unlinked(self, after: int, limit: int, stream: UUID | None = None) -> list[StoredEntry]:
        """Return entries that no link leads to, in the order of their numbers."""
        query = (
            select(*ENTRY_COLUMNS)
            .where(AuditEntry.seq > after, ~exists().where(AuditLink.entry_id == AuditEntry.id))
            .order_by(AuditEntry.seq)
            .limit(limit)
        )
        if stream is not None:
            query = query.where(_is_of(stream))
        return [stored_entry(row) for row in await self.session.execute(query)]

    async def count_entries(self) -> int:
        """Return how many entries there are."""
        return await self.session.scalar(select(func.count()).select_from(AuditEntry)) or 0

    async def count_personal(self) -> int:
        """Return of how many entries personal fields are known."""
        return await self.session.scalar(select(func.count()).select_from(AuditPersonal)) or 0

    async def find_strange_personal(self) -> Any:
        """Return the id of personal fields that belong to no entry, or to one that speaks of none."""
        query = (
            select(raw(AuditPersonal.entry_id))
            .outerjoin(AuditEntry, AuditEntry.id == AuditPersonal.entry_id)
            .where(or_(AuditEntry.seq.is_(None), AuditEntry.commitment.is_(None)))
        )
        return await self.session.scalar(query.limit(1))

    async def find_strange_link(self) -> Row[Any] | None:
        """Return a link of a stream that has no end."""
        query = (
            select(AuditLink.stream, AuditLink.position, raw(AuditLink.entry_id))
            .where(~exists().where(AuditHead.stream == AuditLink.stream))
            .order_by(AuditLink.stream, AuditLink.position)
        )
        return (await self.session.execute(query.limit(1))).first()

    async def find_strange_checkpoint(self) -> Row[UUID, int] | None:
        """Return a checkpoint of a stream that has no end."""
        query = select(AuditCheckpoint.stream, AuditCheckpoint.number).where(
            ~exists().where(AuditHead.stream == AuditCheckpoint.stream)
        )
        return (await self.session.execute(query.limit(1))).first()

    async def sum_positions(self) -> int:
        """Return the sum of the lengths of all streams, which is the number of links that there ever were."""
        return int(await self.session.scalar(select(func.sum(AuditHead.position))) or 0)

    async def counted_entries(self) -> int | None:
        """Return how many entries SQLite has ever numbered; None on PostgreSQL, where roll-backs count too."""
        if self.session.get_bind().dialect.name != "sqlite":
            return None
        query = text("SELECT seq FROM sqlite_sequence WHERE name = 'portico_audit_entries'")
        found: int | None = await self.session.scalar(query)
        return found or 0

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


_CHECKPOINT = tuple(Checkpoint.__dataclass_fields__)


def checkpoint_value(row: Any) -> Checkpoint:
    """Return a stored checkpoint as a value."""
    return Checkpoint(**{name: getattr(row, name) for name in _CHECKPOINT})


def _is_of(stream: UUID) -> ColumnElement[bool]:
    return AuditEntry.organization_id.is_(None) if not stream.int else AuditEntry.organization_id == stream


def _stored_link(row: Sequence[Any]) -> StoredLink:
    *_, seq, stream, position, entry_id, hash_, salt, personal = row
    entry = stored_entry(row) if row[0] is not None else None
    return StoredLink(seq, stream, position, entry_id, hash_, entry, salt, personal)
