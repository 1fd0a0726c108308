"""What this feature holds of a person, for export and erasure."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portico.core.ids import UserId
from portico.credentials.repositories import PasswordRepository
from portico.credentials.services.guessing import Guessing
from portico.db.unit import Unit
from portico.feature import PersonalData
from portico.runtime import Runtime


async def export_credentials(user_id: UserId, session: AsyncSession) -> dict[str, Any]:
    """Return what proofs the person has; never the proofs themselves."""
    changed_at = await PasswordRepository(session).changed_at(user_id)
    return {"password_changed_at": changed_at.isoformat() if changed_at else None}


async def erase_credentials(user_id: UserId, unit: Unit, runtime: Runtime) -> None:
    """Delete the password and the guesses at it."""
    await PasswordRepository(unit.session).take_away(user_id)
    await Guessing(runtime).reset(user_id, unit)


CREDENTIALS_PERSONAL_DATA = (
    PersonalData(section="credentials", export=export_credentials, erase=erase_credentials),
)
