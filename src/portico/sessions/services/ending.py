"""Ends sessions: token families, rows, caches on every node, trail and event, in the order that cannot deadlock.

Order of locks, here and wherever sessions are opened or refreshed: person, token families, sessions.
"""

from collections.abc import Collection
from uuid import UUID

from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.core.ids import SessionId, UserId
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.messaging import EventBus
from portico.runtime import Runtime
from portico.sessions.events import SessionsRevoked
from portico.sessions.repositories import SessionRepository
from portico.sessions.types import SessionEnd
from portico.tokens.services import TokenFamilies
from portico.tokens.types import FamilyEnd


class SessionEnding:
    """Ends sessions inside the open unit; whoever calls has checked that it may be done."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def end(
        self,
        user_id: UserId,
        session_ids: Collection[UUID],
        *,
        reason: SessionEnd,
        actor: Principal | UUID | None = None,
    ) -> list[SessionId]:
        """End these sessions of one person; return those that were not ended before."""
        if not session_ids:
            return []
        replayed = reason is SessionEnd.REPLAYED
        await TokenFamilies(self._runtime, self._unit).revoke_many(
            session_ids=session_ids, reason=FamilyEnd.REPLAYED if replayed else FamilyEnd.REVOKED
        )
        now = self._runtime.clock.now()
        ended = await SessionRepository(self._unit.session).end(session_ids, now=now, reason=reason)
        if ended:
            await self._announce(user_id, ended, reason, actor)
        return ended

    async def end_all(
        self,
        user_id: UserId,
        *,
        reason: SessionEnd,
        except_id: UUID | None = None,
        actor: Principal | UUID | None = None,
    ) -> list[SessionId]:
        """End every session of a person but `except_id`, also one that is being opened at this moment."""
        sessions = SessionRepository(self._unit.session)
        await sessions.lock_user(user_id)
        unended = await sessions.list_unended(user_id, except_id=except_id)
        return await self.end(user_id, unended, reason=reason, actor=actor)

    async def _announce(
        self, user_id: UserId, ended: list[SessionId], reason: SessionEnd, actor: Principal | UUID | None
    ) -> None:
        runtime, unit = self._runtime, self._unit
        await runtime.get(RevocationLog).append(unit, [f"session:{session_id}" for session_id in ended])
        record(
            runtime,
            unit,
            "session.revoked",
            actor=actor,
            subject=("user", user_id),
            session_id=ended[0] if len(ended) == 1 else None,
            reason=reason.value,
            details={"sessions": [str(session_id) for session_id in ended]},
        )
        event = SessionsRevoked(
            at=runtime.clock.now(), user_id=user_id, session_ids=tuple(ended), reason=reason
        )
        await runtime.get(EventBus).emit(event, unit)
