"""Deleting what is old enough, by a role that may."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, insert, select

from portico.audit.checkpoints import Checkpoint
from portico.audit.keeping import KeptClass
from portico.audit.models import (
    AuditCheckpoint,
    AuditEntry,
    AuditHead,
    AuditLetGo,
    AuditLink,
    AuditPersonal,
)
from portico.audit.repositories.raw import ENTRY_COLUMNS, StoredEntry, stored_entry
from portico.audit.repositories.reading import checkpoint_value
from portico.audit.types import CheckpointKind, LetGo
from portico.db.repositories import Repository


class RetentionRepository(Repository[AuditEntry]):
    """The old ends of streams."""

    async def list_prunable(self, before: datetime, after: UUID | None, limit: int) -> list[Checkpoint]:
        """Return for each stream the newest regular checkpoint that was signed before then and has links before it.

        An entry is linked after it was written and signed after it was linked, so all up to there is older.
        """
        oldest = (
            select(AuditLink.stream, func.min(AuditLink.position).label("position"))
            .group_by(AuditLink.stream)
            .subquery()
        )
        newest = (
            select(AuditCheckpoint.stream, func.max(AuditCheckpoint.number).label("number"))
            .join(oldest, oldest.c.stream == AuditCheckpoint.stream)
            .where(
                AuditCheckpoint.kind == CheckpointKind.REGULAR,
                AuditCheckpoint.at < before,
                AuditCheckpoint.position >= oldest.c.position,
            )
            .group_by(AuditCheckpoint.stream)
            .order_by(AuditCheckpoint.stream)
            .limit(limit)
        )
        if after is not None:
            newest = newest.where(AuditCheckpoint.stream > after)
        chosen = newest.subquery()
        query = (
            select(AuditCheckpoint)
            .join(
                chosen,
                (chosen.c.stream == AuditCheckpoint.stream) & (chosen.c.number == AuditCheckpoint.number),
            )
            .order_by(AuditCheckpoint.stream)
        )
        return [checkpoint_value(row) for row in await self.session.scalars(query)]

    async def lock_head(self, stream: UUID) -> AuditHead:
        """Return the end of a stream; nobody moves it before the commit."""
        query = select(AuditHead).where(AuditHead.stream == stream).with_for_update()
        return (await self.session.scalars(query)).one()

    async def remove_until(self, stream: UUID, position: int, limit: int) -> int:
        """Delete up to `limit` of the oldest entries of a stream, with their links and personal fields."""
        links = (
            await self.session.execute(
                select(AuditLink.seq, AuditLink.entry_id)
                .where(AuditLink.stream == stream, AuditLink.position <= position)
                .order_by(AuditLink.position)
                .limit(limit)
            )
        ).all()
        entries = [link.entry_id for link in links]
        for statement in (
            delete(AuditPersonal).where(AuditPersonal.entry_id.in_(entries)),
            delete(AuditEntry).where(AuditEntry.id.in_(entries)),
            delete(AuditLetGo).where(AuditLetGo.link.in_([link.seq for link in links])),
            delete(AuditLink).where(AuditLink.seq.in_([link.seq for link in links])),
        ):
            await self.session.execute(statement.execution_options(synchronize_session=False))
        return len(links)

    async def list_over(
        self, kept: KeptClass, before: datetime, after: int, limit: int
    ) -> list[tuple[UUID, int, int, StoredEntry]]:
        """Return stream, position, link and entry of a class from before then, behind the link `after`."""
        action = AuditEntry.action
        query = (
            select(*ENTRY_COLUMNS, AuditLink.stream, AuditLink.position, AuditLink.seq)
            .join(AuditLink, AuditLink.entry_id == AuditEntry.id)
            .where(
                AuditEntry.at < before,
                AuditLink.seq > after,
                action.startswith(kept.prefix, autoescape=True),
                *(~action.startswith(each, autoescape=True) for each in kept.without),
            )
            .order_by(AuditLink.seq)
            .limit(limit)
        )
        return [
            (row[-3], row[-2], row[-1], stored_entry(tuple(row))) for row in await self.session.execute(query)
        ]

    async def let_go(self, signed: Sequence[LetGo]) -> None:
        """Put these in the place of their entries, whose personal fields go too."""
        await self.session.execute(
            insert(AuditLetGo),
            [
                {"link": each.link, "leaf": each.leaf, "at": each.at, "signature": each.signature}
                for each in signed
            ],
        )
        of_them = select(AuditLink.entry_id).where(AuditLink.seq.in_([each.link for each in signed]))
        for statement in (
            delete(AuditPersonal).where(AuditPersonal.entry_id.in_(of_them)),
            delete(AuditEntry).where(AuditEntry.id.in_(of_them)),
        ):
            await self.session.execute(statement.execution_options(synchronize_session=False))

    async def remove_checkpoints_until(self, stream: UUID, number: int) -> None:
        """Delete the checkpoints of a stream whose links are gone."""
        old = delete(AuditCheckpoint).where(
            AuditCheckpoint.stream == stream, AuditCheckpoint.number <= number
        )
        await self.session.execute(old.execution_options(synchronize_session=False))
