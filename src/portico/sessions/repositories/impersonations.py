"""SQL of the sessions in which somebody acts in another's name."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, Table, or_, select

from portico.db.repositories import Repository
from portico.sessions.models import Session
from portico.users.models import EmailAddress, User

_SESSION = cast("Table", Session.__table__)
_USER = cast("Table", User.__table__)
_EMAIL = cast("Table", EmailAddress.__table__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """A session that was not ended, in whose name, and who acts in it."""

    id: UUID
    user_id: UUID
    actor_id: UUID


_ACTING = select(_SESSION.c.id, _SESSION.c.user_id, _SESSION.c.actor_id).where(
    _SESSION.c.actor_id.is_not(None), _SESSION.c.ended_at.is_(None)
)


class ImpersonationRepository(Repository[Session]):
    """The sessions in which somebody else acts."""

    async def list_among(self, session_ids: Collection[UUID]) -> list[Acting]:
        """Return those of the sessions in which somebody else acts, and those that were begun from one of them."""
        named = or_(_SESSION.c.id.in_(session_ids), _SESSION.c.actor_session_id.in_(session_ids))
        return await self._list(named)

    async def list_by(self, actor_id: UUID) -> list[Acting]:
        """Return those in which this person acts."""
        return await self._list(_SESSION.c.actor_id == actor_id)

    async def list_with(self, user_id: UUID) -> list[Acting]:
        """Return those in which this person acts, or others in his name."""
        return await self._list(or_(_SESSION.c.actor_id == user_id, _SESSION.c.user_id == user_id))

    async def list_expired(self, now: datetime, *, limit: int) -> list[Acting]:
        """Return those whose time is up, and that nobody has ended."""
        return await self._list(_SESSION.c.absolute_expires_at <= now, limit=limit)

    async def find_names(self, user_ids: Collection[UUID]) -> dict[UUID, str]:
        """Return what people are called: full name, else username, else address."""
        query = (
            select(_USER.c.id, _USER.c.full_name, _USER.c.username, _EMAIL.c.address)
            .join_from(_USER, _EMAIL, _EMAIL.c.user_id == _USER.c.id)
            .where(_USER.c.id.in_(user_ids), _EMAIL.c.is_primary, _EMAIL.c.released_at.is_(None))
        )
        found = (await self.session.execute(query)).all()
        return {row.id: row.full_name or row.username or row.address for row in found}

    async def list_of(self, user_id: UUID) -> Sequence[Session]:
        """Return every session in which others acted in a person's name, the newest first."""
        query = select(Session).where(Session.user_id == user_id, Session.actor_id.is_not(None))
        return (await self.session.scalars(query.order_by(Session.id.desc()))).all()

    async def _list(self, condition: ColumnElement[bool], *, limit: int | None = None) -> list[Acting]:
        query = _ACTING.where(condition).order_by(_SESSION.c.id).limit(limit)
        return [Acting(**row) for row in (await self.session.execute(query)).mappings()]
