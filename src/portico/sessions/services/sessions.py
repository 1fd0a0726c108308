"""A person's sessions: seen, ended one by one or all together; and the housekeeping of the table."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from portico.core.ids import SessionId, UserId
from portico.db.unit import DatabaseSession, Unit
from portico.http.authentication import Principal
from portico.runtime import Runtime
from portico.sessions.errors import SessionNotFound
from portico.sessions.models import Session
from portico.sessions.repositories import ImpersonationRepository, SessionRepository
from portico.sessions.services.acting import is_confirmed
from portico.sessions.services.believed import BelievedPrincipals
from portico.sessions.services.ending import SessionEnding
from portico.sessions.settings import SessionsSettings
from portico.sessions.types import SessionEnd

SWEEP_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """A live session as its owner or an administrator sees it; nothing in it can be presented."""

    id: UUID
    device_name: str
    place: str | None
    client_address: str | None
    amr: tuple[str, ...]
    is_browser: bool
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    is_current: bool
    impersonated_by: UUID | None = None
    impersonation_reason: str | None = None


class Sessions:
    """Lists and ends sessions."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def list_sessions(self, user_id: UserId, *, current_id: UUID | None = None) -> list[SessionView]:
        """Return a person's live sessions, the last used first; the one with `current_id` is marked."""
        async with self._runtime.reads() as reader:
            found = await SessionRepository(reader).list_live(user_id, self._runtime.clock.now())
            gone = {row.id for row in found if row.actor_id and not await self._is_good(reader, row.id)}
        return [_view(row, current_id) for row in found if row.id not in gone]

    async def end_session(
        self,
        user_id: UserId,
        session_id: UUID,
        *,
        reason: SessionEnd = SessionEnd.REVOKED,
        actor: Principal | None = None,
    ) -> None:
        """End one session of this person; its tokens are refused everywhere when this is answered.

        Raises:
            SessionNotFound: no such session, ended before, or somebody else's: the same answer (404).
        """
        async with self._unit:
            ending = SessionEnding(self._runtime, self._unit)
            if await SessionRepository(self._unit.session).find_owner(session_id) != user_id:
                raise SessionNotFound
            if not await ending.end(user_id, [session_id], reason=reason, actor=actor or user_id):
                raise SessionNotFound

    async def end_sessions(
        self, user_id: UserId, session_ids: Collection[UUID], *, reason: SessionEnd
    ) -> list[SessionId]:
        """End some sessions of one person; return those that were not ended before."""
        async with self._unit:
            return await SessionEnding(self._runtime, self._unit).end(user_id, session_ids, reason=reason)

    async def log_out(
        self, user_id: UserId, session_id: UUID, *, actor: Principal | UUID | None = None
    ) -> None:
        """End the session that asks for it; nothing happens where it has ended already."""
        async with self._unit:
            await SessionEnding(self._runtime, self._unit).end(
                user_id, [session_id], reason=SessionEnd.LOGGED_OUT, actor=actor or user_id
            )

    async def end_sessions_of(
        self,
        user_id: UserId,
        reason: SessionEnd,
        *,
        except_id: UUID | None = None,
        actor: Principal | UUID | None = None,
    ) -> list[SessionId]:
        """End every session of a person but `except_id`; return which."""
        async with self._unit:
            return await SessionEnding(self._runtime, self._unit).end_all(
                user_id, reason=reason, except_id=except_id, actor=actor
            )

    async def note_use(self) -> int:
        """Write `last_seen_at` of the sessions used since the last call; return how many.

        For browser sessions this moves the idle limit. The request that used the session waited for none of it.
        """
        believed = self._runtime.get(BelievedPrincipals)
        used = believed.take_used()
        if not used:
            return 0
        now = self._runtime.clock.now()
        page_idle = self._runtime.section(SessionsSettings).page_idle
        try:
            async with self._unit:
                sessions = SessionRepository(self._unit.session)
                await sessions.note_use(used, now=now, page_idle_until=now + page_idle)
        except BaseException:
            believed.give_back(used)
            raise
        return len(used)

    async def end_expired_impersonations(self, *, limit: int) -> int:
        """Put an end to impersonations whose time is up, for the trail; return how many there were."""
        async with self._unit:
            impersonations = ImpersonationRepository(self._unit.session)
            expired = await impersonations.list_expired(self._runtime.clock.now(), limit=limit)
            ending = SessionEnding(self._runtime, self._unit)
            return await ending.end_acting(expired, reason=SessionEnd.EXPIRED)

    async def delete_outlived(self, session_ids: Collection[UUID], before: datetime) -> None:
        """Delete rows that `list_outlived` named."""
        async with self._unit:
            await SessionRepository(self._unit.session).delete_outlived(session_ids, before)

    async def _is_good(self, reader: DatabaseSession, session_id: UUID) -> bool:
        found = await SessionRepository(reader).find_live(session_id, self._runtime.clock.now())
        return await is_confirmed(self._runtime, reader, found)


async def sweep_sessions(runtime: Runtime) -> int:
    """Delete sessions that have been over for longer than the setting says, in small transactions; return how many."""
    settings, now = runtime.section(SessionsSettings), runtime.clock.now()
    before = now - timedelta(days=settings.keep_ended_days)
    long_before = now - timedelta(days=settings.keep_impersonations_days)
    swept = 0
    while True:
        async with runtime.reads() as reader:
            outlived = await SessionRepository(reader).list_outlived(
                before, impersonations_before=long_before, limit=SWEEP_BATCH
            )
        if outlived:
            await Sessions(runtime, runtime.unit()).delete_outlived(outlived, before)
            swept += len(outlived)
        if len(outlived) < SWEEP_BATCH:
            return swept


def _view(row: Session, current_id: UUID | None) -> SessionView:
    return SessionView(
        id=row.id,
        impersonated_by=row.actor_id,
        impersonation_reason=row.impersonation_reason,
        device_name=row.device_name,
        place=row.place,
        client_address=row.client_address,
        amr=tuple(row.amr),
        is_browser=row.cookie_hash is not None,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        expires_at=min(row.idle_expires_at, row.absolute_expires_at),
        is_current=row.id == current_id,
    )
