"""What the admin API sees to when it hears of others' acts, whichever way they came about."""

from portico.access.errors import LastSuperuser
from portico.access.events import RolesChanged
from portico.access.types import PlatformRole
from portico.admin.repositories import PeopleRepository
from portico.db.unit import Unit
from portico.runtime import Runtime
from portico.users.events import UserDeactivated


async def keep_an_able_superuser(
    event: UserDeactivated | RolesChanged, unit: Unit, _runtime: Runtime
) -> None:
    """Veto the act if it leaves the deployment without a superuser who can sign in.

    `access` counts who holds the role; only here it is known that a holder may be switched off. The grants are
    locked before they are looked at, so that two superusers who switch each other off cannot both succeed. A deleted
    person loses his roles first, which is heard as `RolesChanged`.

    Raises:
        LastSuperuser: nobody would be left (409).
    """
    people = PeopleRepository(unit.session)
    await people.flush()
    if not await _concerns_superusers(event, people):
        return
    await people.lock_superusers()
    if not await people.exists_able_superuser():
        raise LastSuperuser


async def _concerns_superusers(event: UserDeactivated | RolesChanged, people: PeopleRepository) -> bool:
    if isinstance(event, RolesChanged):
        # That the very last holder keeps the role is seen to by `access`; before the first there is nothing to keep.
        return PlatformRole.SUPERUSER not in event.roles and await people.exists_superuser()
    return await people.exists_superuser(event.user_id)
