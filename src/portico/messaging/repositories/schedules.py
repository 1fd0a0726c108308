"""SQL of the schedules."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, select, update

from portico.db.dialects import insert_into
from portico.db.repositories import Repository
from portico.messaging.models import ScheduleRecord

_T = cast("Table", ScheduleRecord.__table__)


class ScheduleRepository(Repository[ScheduleRecord]):
    """When each schedule is next due."""

    async def next_ticks(self, names: Sequence[str]) -> dict[str, datetime]:
        """Return when those of these schedules that are known are next due."""
        statement = select(ScheduleRecord.name, ScheduleRecord.next_at).where(ScheduleRecord.name.in_(names))
        return {row.name: row.next_at for row in await self.session.execute(statement)}

    async def introduce(self, name: str, next_at: datetime) -> None:
        """Make a schedule known; nothing if another process did so meanwhile."""
        statement: Any = insert_into(_T, self.session.get_bind().dialect.name)
        await self.session.execute(statement.values(name=name, next_at=next_at).on_conflict_do_nothing())

    async def move(self, name: str, *, due: datetime, to: datetime, ticked: bool) -> bool:
        """Move a schedule on from `due`; False if somebody else has done so."""
        values = {"next_at": to, "last_at": due} if ticked else {"next_at": to}
        statement = (
            update(ScheduleRecord)
            .where(ScheduleRecord.name == name, ScheduleRecord.next_at == due)
            .values(values)
            .returning(ScheduleRecord.name)
            .execution_options(synchronize_session=False)
        )
        return (await self.session.execute(statement)).one_or_none() is not None
