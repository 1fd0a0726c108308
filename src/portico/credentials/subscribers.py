"""What this feature does when it hears of others' acts."""

from portico.credentials.repositories import PasswordRepository
from portico.credentials.services.guessing import Guessing
from portico.db.unit import Unit
from portico.runtime import Runtime
from portico.users.events import UserClaimed


async def replace_password(event: UserClaimed, unit: Unit, runtime: Runtime) -> None:
    """Whoever proved the address gets the password of his own attempt; the one before is gone either way."""
    passwords = PasswordRepository(unit.session)
    await passwords.take_away(event.user_id)
    if event.claim is not None:
        await passwords.put(event.user_id, event.claim.password_hash, event.at)
    await Guessing(runtime).reset(event.user_id, unit)
