"""What the authorization server holds of a person, for export and erasure."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portico.core.ids import UserId
from portico.db.unit import Unit
from portico.feature import PersonalData
from portico.oauth.repositories import ConsentRepository, GrantRepository
from portico.runtime import Runtime


async def export_connections(user_id: UserId, session: AsyncSession) -> list[dict[str, Any]]:
    """Return the applications that the person has connected, the last one first."""
    return [
        {
            "application": connected.name or connected.client_id,
            "client_id": connected.client_id,
            "scope": connected.scope,
            "resources": list(connected.resources),
            "connected_at": connected.connected_at.isoformat(),
            "last_used_at": connected.last_used_at.isoformat() if connected.last_used_at else None,
        }
        for connected in await ConsentRepository(session).list_connected(user_id)
    ]


async def erase_connections(user_id: UserId, unit: Unit, _runtime: Runtime) -> None:
    """Delete what the person allowed and to whom; it ended when the account was deleted."""
    await ConsentRepository(unit.session).delete_of(user_id)
    await GrantRepository(unit.session).delete_of(user_id)


OAUTH_PERSONAL_DATA = (
    PersonalData(section="connections", export=export_connections, erase=erase_connections),
)
