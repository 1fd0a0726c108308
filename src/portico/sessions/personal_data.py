"""What sessions hold of a person, for export and erasure."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portico.core.ids import UserId
from portico.db.unit import Unit
from portico.feature import PersonalData
from portico.runtime import Runtime
from portico.sessions.repositories import ImpersonationRepository, SessionRepository


async def export_sessions(user_id: UserId, session: AsyncSession) -> list[dict[str, Any]]:
    """Return the sessions whose rows are still kept, the newest first."""
    return [
        {
            "device": row.device_name,
            "user_agent": row.user_agent,
            "network_address": row.client_address,
            "place": row.place,
            "created_at": row.created_at.isoformat(),
            "last_seen_at": row.last_seen_at.isoformat(),
            "ended_at": row.ended_at.isoformat() if row.ended_at else None,
        }
        for row in await SessionRepository(session).list_all(user_id)
        if row.actor_id is None
    ]


async def export_impersonations(user_id: UserId, session: AsyncSession) -> list[dict[str, Any]]:
    """Return when and why others acted in the person's name, as far back as it is kept, the newest first."""
    return [
        {
            "by": str(row.actor_id),
            "reason": row.impersonation_reason,
            "created_at": row.created_at.isoformat(),
            "ended_at": (row.ended_at or row.absolute_expires_at).isoformat(),
        }
        for row in await ImpersonationRepository(session).list_of(user_id)
    ]


async def erase_sessions(user_id: UserId, unit: Unit, _runtime: Runtime) -> None:
    """Delete the sessions; they ended when the account was deleted."""
    await SessionRepository(unit.session).delete_of(user_id)


SESSIONS_PERSONAL_DATA = (
    PersonalData(section="sessions", export=export_sessions, erase=erase_sessions),
    PersonalData(section="impersonations", export=export_impersonations),
)
