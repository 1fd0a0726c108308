"""What keys hold of a person, for export and erasure."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portico.api_keys.repositories import KeyRepository
from portico.api_keys.types import Belonging
from portico.core.ids import UserId
from portico.db.unit import Unit
from portico.feature import PersonalData
from portico.runtime import Runtime


async def export_keys(user_id: UserId, session: AsyncSession) -> list[dict[str, Any]]:
    """Return the person's own keys, the newest first; never their texts."""
    return [
        {
            "name": row.name,
            "prefix": row.shown_prefix,
            "scopes": list(row.scopes),
            "networks": list(row.networks),
            "created_at": row.created_at.isoformat(),
            "expires_at": row.expires_at.isoformat() if row.expires_at else None,
            "last_used_at": row.last_used_at.isoformat() if row.last_used_at else None,
            "last_used_address": row.last_used_address,
            "revoked_at": row.revoked_at.isoformat() if row.revoked_at else None,
        }
        for row in await KeyRepository(session).list_all(Belonging(user_id=user_id))
    ]


async def erase_keys(user_id: UserId, unit: Unit, _runtime: Runtime) -> None:
    """Delete the person's own keys; they ended when the account was deleted."""
    await KeyRepository(unit.session).delete_of(user_id)


API_KEYS_PERSONAL_DATA = (PersonalData(section="api_keys", export=export_keys, erase=erase_keys),)
