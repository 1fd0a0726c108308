"""What the sequencer reads and writes."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    true,
    update,
)

from portico.audit.canonical import gaps_text, read_gaps
from portico.audit.checkpoints import Checkpoint
from portico.audit.models import (
    AuditCheckpoint,
    AuditEntry,
    AuditHead,
    AuditLink,
    AuditSequencer,
)
from portico.audit.repositories.raw import ENTRY_COLUMNS, StoredEntry, stored_entry
from portico.audit.types import Head, Lag, SequencerState
from portico.db.dialects import insert_into
from portico.db.repositories import Repository

STATE_ROW = 1
_HEADS = cast("Table", AuditHead.__table__)
_STATE = cast("Table", AuditSequencer.__table__)

# Every transaction holds a lock on its own virtual id while it lives, and everybody may see that it does.
_RUNNING = text("""
SELECT DISTINCT virtualtransaction FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'virtualxid' AND granted AND datname = current_database() AND pid <> pg_backend_pid()
""")


class NewLink(NamedTuple):
    """A link to be written."""

    seq: int
    stream: UUID
    position: int
    entry_id: UUID
    hash: bytes


class ChainRepository(Repository[AuditLink]):
    """Links, heads, checkpoints and the sequencer's own row."""

    async def state(self) -> SequencerState | None:
        """Return how far the chain has come; None before its first link."""
        row = (await self.session.execute(select(_STATE).where(_STATE.c.id == STATE_ROW))).one_or_none()
        if row is None:
            return None
        return SequencerState(row.watermark, row.links, row.unsigned_until, read_gaps(row.gaps), row.mac)

    async def exists_work(self, now: datetime) -> bool:
        """Tell whether something waits to be linked, looked for or signed."""
        watermark = select(_STATE.c.watermark).where(_STATE.c.id == STATE_ROW).scalar_subquery()
        waiting = exists().where(AuditEntry.seq > func.coalesce(watermark, 0))
        missing = exists().where(_STATE.c.id == STATE_ROW, _STATE.c.gaps != "[]")
        due = exists().where(AuditHead.due_at <= now)
        return bool(await self.session.scalar(select(or_(waiting, missing, due))))

    async def last_unsigned(self) -> int:
        """Return the number of the last entry from before there were MACs."""
        newest = select(func.max(AuditEntry.seq)).where(AuditEntry.mac.is_(None))
        return await self.session.scalar(newest) or 0

    async def list_after(self, watermark: int, limit: int) -> list[StoredEntry]:
        """Return the entries behind `watermark`, in the order of their numbers."""
        return await self._stored(AuditEntry.seq > watermark, limit)

    async def list_within(self, ranges: Iterable[tuple[int, int]], limit: int) -> list[StoredEntry]:
        """Return the entries that have come after all."""
        within = [and_(AuditEntry.seq >= first, AuditEntry.seq <= last) for first, last in ranges]
        return await self._stored(or_(*within), limit) if within else []

    async def running_transactions(self) -> frozenset[str]:
        """Return the transactions that are under way in this database (PostgreSQL)."""
        return frozenset(await self.session.scalars(_RUNNING))

    async def heads(self, streams: Iterable[UUID]) -> dict[UUID, Head]:
        """Return the ends of these streams."""
        query = select(_HEADS).where(_HEADS.c.stream.in_(set(streams)))
        return {row.stream: _head(row) for row in await self.session.execute(query)}

    async def due_heads(self, now: datetime, limit: int) -> list[Head]:
        """Return the streams that want a checkpoint."""
        query = select(_HEADS).where(_HEADS.c.due_at <= now).order_by(_HEADS.c.due_at).limit(limit)
        return [_head(row) for row in await self.session.execute(query)]

    async def list_heads(self, after: UUID | None, limit: int) -> list[Head]:
        """Return the ends of streams in the order of their ids."""
        query = select(_HEADS).order_by(_HEADS.c.stream).limit(limit)
        if after is not None:
            query = query.where(_HEADS.c.stream > after)
        return [_head(row) for row in await self.session.execute(query)]

    async def add_links(self, links: Sequence[NewLink]) -> None:
        """Write links."""
        await self.session.execute(insert(AuditLink), [link._asdict() for link in links])

    async def put_heads(self, heads: Sequence[Head]) -> None:
        """Write the new ends of streams."""
        statement = insert_into(_HEADS, self._dialect)
        values = {name: statement.excluded[name] for name in Head.__dataclass_fields__ if name != "stream"}
        statement = statement.on_conflict_do_update(index_elements=[_HEADS.c.stream], set_=values)
        rows = [{name: getattr(head, name) for name in Head.__dataclass_fields__} for head in heads]
        await self.session.execute(statement, rows)

    async def add_checkpoints(self, checkpoints: Iterable[Checkpoint]) -> None:
        """Write checkpoints."""
        rows = [
            {name: getattr(checkpoint, name) for name in Checkpoint.__dataclass_fields__}
            for checkpoint in checkpoints
        ]
        await self.session.execute(insert(AuditCheckpoint), rows)

    async def advance(self, before: SequencerState | None, after: SequencerState) -> bool:
        """Write the new state; False if somebody else has done so since `before` was read."""
        values = {
            "watermark": after.watermark,
            "links": after.links,
            "unsigned_until": after.unsigned_until,
            "gaps": gaps_text(after.gaps),
            "mac": after.mac,
        }
        if before is None:
            statement = insert_into(_STATE, self._dialect).values(id=STATE_ROW, **values)
            statement = statement.on_conflict_do_nothing().returning(_STATE.c.id)
        else:
            same = and_(_STATE.c.id == STATE_ROW, _STATE.c.mac == before.mac)
            statement = update(_STATE).where(same).values(values).returning(_STATE.c.id)
        return await self.session.scalar(statement) is not None

    async def lag(self) -> Lag:
        """Return what waits."""
        state = await self.state() or SequencerState()
        waiting: ColumnElement[bool] = AuditEntry.seq > state.watermark
        query = select(func.count(), func.min(AuditEntry.at)).where(waiting)
        count, oldest = (await self.session.execute(query)).one()
        return Lag(count, oldest, sum(len(gap.ranges) for gap in state.gaps), state.links)

    async def _stored(self, where: ColumnElement[bool], limit: int) -> list[StoredEntry]:
        query = select(*ENTRY_COLUMNS).where(where, true()).order_by(AuditEntry.seq).limit(limit)
        return [stored_entry(row) for row in await self.session.execute(query)]

    @property
    def _dialect(self) -> str:
        return self.session.get_bind().dialect.name


def _head(row: Any) -> Head:
    return Head(**{name: getattr(row, name) for name in Head.__dataclass_fields__})
