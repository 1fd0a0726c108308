"""SQL of token families. One compare-and-set on the counter decides every race (RELIABILITY P5)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Table, bindparam, delete, insert, or_, select, update

from portico.db.repositories import Repository
from portico.tokens.models import TokenFamily, rotation
from portico.tokens.types import Family, FamilyEnd

_T = cast("Table", TokenFamily.__table__)
_FACTS = (
    _T.c.id,
    _T.c.session_id,
    _T.c.grant_id,
    _T.c.client_id,
    _T.c.scope,
    _T.c.counter,
    _T.c.created_at,
    _T.c.rotated_at,
    _T.c.idle_expires_at,
    _T.c.absolute_expires_at,
    _T.c.ended_at,
)

_ROTATE = rotation().returning(*_FACTS)
_START = insert(_T)

_FIND = select(*_FACTS).where(_T.c.id == bindparam("family"))


class TokenFamilyRepository(Repository[TokenFamily]):
    """The families."""

    async def start(self, **values: Any) -> None:
        """Write one row, without the ORM: sign-in is counted in microseconds."""
        connection = await self.session.connection()
        await connection.execute(_START, values)

    async def rotate(
        self, family_id: UUID, presented: int, *, now: datetime, idle_until: datetime
    ) -> Family | None:
        """Raise the counter if `presented` is the live leaf; among any number of callers exactly one succeeds."""
        connection = await self.session.connection()
        values = {"family": family_id, "presented": presented, "now": now, "idle_until": idle_until}
        row = (await connection.execute(_ROTATE, values)).one_or_none()
        return None if row is None else Family(*row)

    async def touch(
        self, family_id: UUID, presented: int, *, now: datetime, idle_until: datetime
    ) -> Family | None:
        """Move the idle limit if `presented` is the live leaf; the counter stays."""
        connection = await self.session.connection()
        statement = (
            update(_T)
            .where(
                _T.c.id == family_id,
                _T.c.counter == presented,
                _T.c.ended_at.is_(None),
                _T.c.idle_expires_at > now,
                _T.c.absolute_expires_at > now,
            )
            .values(rotated_at=now, idle_expires_at=idle_until)
            .returning(*_FACTS)
        )
        row = (await connection.execute(statement)).one_or_none()
        return None if row is None else Family(*row)

    async def find(self, family_id: UUID) -> Family | None:
        """Return the family as it is now, live or not."""
        connection = await self.session.connection()
        row = (await connection.execute(_FIND, {"family": family_id})).one_or_none()
        return None if row is None else Family(*row)

    async def end_one(self, family_id: UUID, reason: FamilyEnd, now: datetime) -> bool:
        """End one family; False if it had ended before."""
        return await self._end(_T.c.id == family_id, reason, now) > 0

    async def end_of_sessions(self, session_ids: Collection[UUID], reason: FamilyEnd, now: datetime) -> int:
        """End every living family of these sessions; return how many."""
        return await self._end(_T.c.session_id.in_(session_ids), reason, now)

    async def end_of_grants(self, grant_ids: Collection[UUID], reason: FamilyEnd, now: datetime) -> int:
        """End every living family of these OAuth grants; return how many."""
        return await self._end(_T.c.grant_id.in_(grant_ids), reason, now)

    async def _end(self, which: ColumnElement[bool], reason: FamilyEnd, now: datetime) -> int:
        statement = (
            update(_T)
            .where(which, _T.c.ended_at.is_(None))
            .values(ended_at=now, ended_reason=reason)
            .returning(_T.c.id)
        )
        connection = await self.session.connection()
        return len((await connection.execute(statement)).all())

    async def remove_ended(self, before: datetime, limit: int) -> int:
        """Delete up to `limit` families that ended or expired before `before`; return how many went.

        An unknown family is refused as an ended one is, so nothing is lost by forgetting it.
        """
        over = or_(
            _T.c.ended_at < before,
            _T.c.idle_expires_at < before,
            _T.c.absolute_expires_at < before,
        )
        oldest = select(_T.c.id).where(over).limit(limit)
        statement = delete(_T).where(_T.c.id.in_(oldest)).returning(_T.c.id)
        connection = await self.session.connection()
        return len((await connection.execute(statement)).all())
