"""What this feature holds of a person, for export and erasure."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from portico.core.ids import UserId
from portico.db.unit import Unit
from portico.feature import PersonalData
from portico.mail.services import Mailer
from portico.runtime import Runtime
from portico.users.addresses import parse_address
from portico.users.repositories import EmailAddressRepository, UserRepository


async def export_profile(user_id: UserId, session: AsyncSession) -> dict[str, Any] | None:
    """Return the profile."""
    account = await UserRepository(session).find_account(user_id)
    if account is None:
        return None
    return {
        "username": account.username,
        "full_name": account.full_name,
        "locale": account.locale,
        "timezone": account.timezone,
        "status": account.status.value,
        "created_at": account.created_at.isoformat(),
        "updated_at": account.updated_at.isoformat(),
    }


async def export_addresses(user_id: UserId, session: AsyncSession) -> list[dict[str, Any]]:
    """Return the e-mail addresses."""
    return [
        {
            "address": row.address,
            "primary": row.is_primary,
            "verified_at": row.verified_at.isoformat() if row.verified_at else None,
            "created_at": row.created_at.isoformat(),
        }
        for row in await EmailAddressRepository(session).list_of(user_id)
    ]


async def erase_addresses(user_id: UserId, unit: Unit, runtime: Runtime) -> None:
    """Delete the addresses, and what the mail queue still knows of them."""
    addresses = EmailAddressRepository(unit.session)
    known = [parse_address(row.address).deliverable for row in await addresses.list_of(user_id)]
    await runtime.get(Mailer).forget(unit, *known)
    await addresses.erase(user_id)


USERS_PERSONAL_DATA = (
    PersonalData(section="profile", export=export_profile),
    PersonalData(section="email_addresses", export=export_addresses, erase=erase_addresses),
)
