"""Ends sessions: token families, rows, caches on every node, trail and event, in the order that cannot deadlock.

Order of locks, here and wherever sessions are opened or refreshed: person, token families, sessions. With a session
ends what its owner began from it in the names of others.
"""

from collections.abc import Collection, Iterable
from itertools import groupby
from uuid import UUID

from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.core.ids import PrincipalId, SessionId, UserId
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.messaging import EventBus
from portico.runtime import Runtime
from portico.sessions.events import ImpersonationEnded, SessionsRevoked
from portico.sessions.repositories import Acting, ImpersonationRepository, SessionRepository
from portico.sessions.types import SessionEnd
from portico.tokens.services import TokenFamilies
from portico.tokens.types import FamilyEnd

type Actor = Principal | UUID | None


class SessionEnding:
    """Ends sessions inside the open unit; whoever calls has checked that it may be done."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def end(
        self, user_id: UserId, session_ids: Collection[UUID], *, reason: SessionEnd, actor: Actor = None
    ) -> list[SessionId]:
        """End these sessions of one person; return those that were not ended before."""
        if not session_ids:
            return []
        acting = await ImpersonationRepository(self._unit.session).list_among(session_ids)
        begun = [each for each in acting if each.id not in session_ids]
        replayed = reason is SessionEnd.REPLAYED
        await TokenFamilies(self._runtime, self._unit).revoke_many(
            session_ids=[*session_ids, *(each.id for each in begun)],
            reason=FamilyEnd.REPLAYED if replayed else FamilyEnd.REVOKED,
        )
        ended = await self._end_rows(user_id, session_ids, reason, actor)
        here = [each for each in acting if each.id in ended]
        await self._announce_impersonations(here, reason, actor)
        await self._end_begun(begun, actor)
        return ended

    async def end_all(
        self,
        user_id: UserId,
        *,
        reason: SessionEnd,
        except_id: UUID | None = None,
        actor: Actor = None,
    ) -> list[SessionId]:
        """End every session of a person but `except_id`, also one that is being opened at this moment."""
        sessions = SessionRepository(self._unit.session)
        await sessions.lock_user(user_id)
        unended = await sessions.list_unended(user_id, except_id=except_id)
        return await self.end(user_id, unended, reason=reason, actor=actor)

    async def end_acting(
        self, acting: Iterable[Acting], *, reason: SessionEnd = SessionEnd.ACTOR_GONE, actor: Actor = None
    ) -> int:
        """End impersonations, in whosever names; return how many."""
        ended = 0
        for user_id, each in _by_person(acting):
            ended += len(await self.end(user_id, [one.id for one in each], reason=reason, actor=actor))
        return ended

    async def _end_rows(
        self, user_id: UserId, session_ids: Collection[UUID], reason: SessionEnd, actor: Actor
    ) -> list[SessionId]:
        now = self._runtime.clock.now()
        ended = await SessionRepository(self._unit.session).end(session_ids, now=now, reason=reason)
        if ended:
            await self._announce(user_id, ended, reason, actor)
        return ended

    async def _end_begun(self, begun: Iterable[Acting], actor: Actor) -> None:
        for user_id, each in _by_person(begun):
            ids = [one.id for one in each]
            ended = await self._end_rows(user_id, ids, SessionEnd.ACTOR_GONE, actor)
            gone = [one for one in each if one.id in ended]
            await self._announce_impersonations(gone, SessionEnd.ACTOR_GONE, actor)

    async def _announce(
        self, user_id: UserId, ended: list[SessionId], reason: SessionEnd, actor: Actor
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

    async def _announce_impersonations(
        self, ended: Iterable[Acting], reason: SessionEnd, actor: Actor
    ) -> None:
        for each in ended:
            record(
                self._runtime,
                self._unit,
                "impersonation.ended",
                actor=actor,
                subject=("user", each.user_id),
                session_id=SessionId(each.id),
                reason=reason.value,
                details={"actor": str(each.actor_id)},
            )
            event = ImpersonationEnded(
                at=self._runtime.clock.now(),
                session_id=SessionId(each.id),
                user_id=UserId(PrincipalId(each.user_id)),
                actor_id=UserId(PrincipalId(each.actor_id)),
                reason=reason,
            )
            await self._runtime.get(EventBus).emit(event, self._unit)


def _by_person(acting: Iterable[Acting]) -> list[tuple[UserId, list[Acting]]]:
    ordered = sorted(acting, key=lambda each: (each.user_id, each.id))
    return [
        (UserId(PrincipalId(user_id)), list(each))
        for user_id, each in groupby(ordered, lambda each: each.user_id)
    ]
