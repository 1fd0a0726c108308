"""How far each sink has been told."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Table, func, select

from portico.audit.models import AuditLink, AuditSink
from portico.db.dialects import insert_into
from portico.db.repositories import Repository

ERROR_LENGTH = 300
_SINKS = cast("Table", AuditSink.__table__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkState:
    """How a sink is doing; `position` is the number of the last link that it took."""

    name: str
    position: int = 0
    shipped_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    next_try_at: datetime | None = None
    last_error: str | None = None


class SinkRepository(Repository[AuditSink]):
    """The sinks."""

    async def state(self, name: str) -> SinkState:
        """Return how a sink is doing; a new one begins at the beginning."""
        row = (
            (await self.session.execute(select(_SINKS).where(_SINKS.c.name == name))).mappings().one_or_none()
        )
        return SinkState(**row) if row else SinkState(name=name)

    async def count_behind(self, position: int) -> int:
        """Return how many links there are behind a position."""
        newest = await self.session.scalar(select(func.max(AuditLink.seq)))
        return max((newest or 0) - position, 0)

    async def put(self, state: SinkState) -> None:
        """Write how a sink is doing."""
        values = {name: getattr(state, name) for name in SinkState.__dataclass_fields__}
        values["last_error"] = state.last_error and state.last_error[:ERROR_LENGTH]
        statement = insert_into(_SINKS, self.session.get_bind().dialect.name).values(values)
        changed = {name: value for name, value in values.items() if name != "name"}
        await self.session.execute(
            statement.on_conflict_do_update(index_elements=[_SINKS.c.name], set_=changed)
        )
