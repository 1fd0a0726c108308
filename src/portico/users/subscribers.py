"""What this feature does when it hears of others' acts."""

from portico.access.events import RolesChanged
from portico.db.unit import Unit
from portico.runtime import Runtime
from portico.users.repositories import UserRepository


async def raise_version(event: RolesChanged, unit: Unit, _runtime: Runtime) -> None:
    """Roles are part of the profile that is shown: its version rises with them."""
    await UserRepository(unit.session).touch(event.principal_id, event.at)
