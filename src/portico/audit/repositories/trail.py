"""Searching the trail."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select

from portico.audit.models import AuditEntry, AuditPersonal
from portico.audit.types import TrailEntry, TrailFilter
from portico.db.repositories import Repository
from portico.http.pagination import Cursors, Ordering, PageQuery, Slice, count_rows, fetch_page

type CountOnce = Callable[[Callable[[], Awaitable[int]]], Awaitable[int]]
"""Answers a count from memory, or by the function that is given."""

_ENTRY = tuple(name for name in TrailEntry.__dataclass_fields__ if name != "personal")


class TrailRepository(Repository[AuditEntry]):
    """The trail, read."""

    async def list_entries(
        self,
        query: PageQuery,
        where: TrailFilter,
        cursors: Cursors,
        *,
        route: str,
        count_once: CountOnce | None,
    ) -> Slice[TrailEntry]:
        """Return one page by time; for each filter there is an index in this order, so that depth costs nothing."""
        statement = select(AuditEntry).where(*conditions_of(where))

        async def count() -> int:
            def exactly() -> Awaitable[int]:
                return count_rows(self.session, statement)

            return await (count_once(exactly) if count_once else exactly())

        found: Slice[Any] = await fetch_page(
            self.session,
            statement,
            query=query,
            ordering=Ordering(AuditEntry.at, AuditEntry.seq, descending=query.descending),
            cursors=cursors,
            route=route,
            count=count,
        )
        known = await self._personal(row.id for row in found.rows if row.commitment is not None)
        return Slice([entry_value(row, known.get(row.id)) for row in found.rows], found.pagination)

    async def _personal(self, ids: Iterable[UUID]) -> dict[UUID, Mapping[str, Any]]:
        query = select(AuditPersonal.entry_id, AuditPersonal.fields).where(
            AuditPersonal.entry_id.in_(list(ids))
        )
        return {row.entry_id: row.fields for row in await self.session.execute(query)}


def conditions_of(where: TrailFilter) -> list[ColumnElement[bool]]:
    """Return a filter in SQL."""
    conditions: list[ColumnElement[bool]] = [
        getattr(AuditEntry, name) == getattr(where, name)
        for name in (
            "organization_id",
            "actor_id",
            "subject_id",
            "subject_type",
            "action",
            "outcome",
            "request_id",
        )
        if getattr(where, name) is not None
    ]
    if where.action_prefix is not None:
        conditions.append(AuditEntry.action.startswith(where.action_prefix, autoescape=True))
    if where.q is not None:
        conditions.append(AuditEntry.action.contains(where.q.strip().lower(), autoescape=True))
    if where.since is not None:
        conditions.append(AuditEntry.at >= where.since)
    if where.until is not None:
        conditions.append(AuditEntry.at < where.until)
    return conditions


def entry_value(row: AuditEntry, personal: Mapping[str, Any] | None) -> TrailEntry:
    """Return an entry as a value."""
    return TrailEntry(**{name: getattr(row, name) for name in _ENTRY}, personal=personal)
