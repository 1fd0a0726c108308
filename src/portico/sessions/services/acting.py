"""Whether somebody may act in another's name now: asked at the beginning, and whenever such a session is read.

    the actor's session     the one in which he began is good, he is neither switched off nor deleted
    the actor's roles       one of them holds the permission
    the person's roles      the actor's hold all that they hold: nobody gains rights over the deployment by it

The person himself is asked about like anybody whose session is read. What is believed of such a session is dropped
with a revocation of either of them, and not believed for longer than the actor's own session is good.
"""

from collections.abc import Collection
from dataclasses import replace

from portico.access.roles import RoleBook
from portico.access.types import PlatformRole
from portico.db.unit import DatabaseSession
from portico.http.authentication import Impersonation
from portico.runtime import Runtime
from portico.sessions.errors import SessionEnded
from portico.sessions.permissions import SessionPermission
from portico.sessions.repositories import ImpersonationRepository, LiveSession, SessionRepository


def may_impersonate(runtime: Runtime, roles: Collection[str]) -> bool:
    """Tell whether platform roles allow to act in the name of others at all."""
    return runtime.get(RoleBook).platform_holds(roles, SessionPermission.IMPERSONATE)


def outranks(runtime: Runtime, roles: Collection[str], persons: Collection[str]) -> bool:
    """Tell whether whoever holds the platform roles `roles` gains nothing by acting as one who holds `persons`."""
    if PlatformRole.SUPERUSER in roles:
        return True
    book = runtime.get(RoleBook)
    return PlatformRole.SUPERUSER not in persons and book.of_platform(persons) <= book.of_platform(roles)


async def confirmed(runtime: Runtime, reader: DatabaseSession, session: LiveSession | None) -> LiveSession:
    """Return a live session if whoever acts in it still may; its limits are then those of the actor's, too.

    Raises:
        SessionEnded: there is none, or it is good no more (401).
    """
    if session is None:
        raise SessionEnded
    if session.actor_id is None:
        return session
    actor = await _actor_of(runtime, reader, session)
    if not may_impersonate(runtime, actor.roles) or not outranks(runtime, actor.roles, session.roles):
        raise SessionEnded
    until = min(session.absolute_expires_at, actor.idle_expires_at, actor.absolute_expires_at)
    return replace(
        session,
        idle_expires_at=min(session.idle_expires_at, until),
        absolute_expires_at=until,
        impersonation=await _shown(reader, session),
    )


async def is_confirmed(runtime: Runtime, reader: DatabaseSession, session: LiveSession | None) -> bool:
    """Tell whether `confirmed` would return it."""
    try:
        await confirmed(runtime, reader, session)
    except SessionEnded:
        return False
    return True


async def _actor_of(runtime: Runtime, reader: DatabaseSession, session: LiveSession) -> LiveSession:
    if session.actor_session_id is None:
        raise SessionEnded
    now = runtime.clock.now()
    actor = await SessionRepository(reader).find_live(session.actor_session_id, now)
    if actor is None or actor.user_id != session.actor_id or actor.actor_id is not None:
        raise SessionEnded
    return actor


async def _shown(reader: DatabaseSession, session: LiveSession) -> Impersonation:
    actor_id, person_id = session.actor_id or session.user_id, session.user_id
    names = await ImpersonationRepository(reader).find_names({actor_id, person_id})
    return Impersonation(
        actor_name=names.get(actor_id, ""),
        person_name=names.get(person_id, ""),
        reason=session.reason or "",
        until=session.absolute_expires_at,
    )
