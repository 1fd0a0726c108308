"""Who is told of keys by mail: the person when one is made in his name, and whoever is responsible before it ends."""

from collections.abc import Sequence
from uuid import UUID

from portico.api_keys.models import ApiKey
from portico.api_keys.repositories import HousekeepingRepository
from portico.api_keys.settings import ApiKeysSettings
from portico.api_keys.types import KeyKind
from portico.core.ids import PrincipalId, UserId
from portico.db.unit import Unit
from portico.mail.services import Mailer
from portico.runtime import Runtime
from portico.users.addresses import parse_address
from portico.users.services import Users
from portico.users.types import Account

PAGE = "/account/api-keys"
MOST_OWNERS = 5
"""An organization's key is nobody's own: so many of its owners are told beside its maker."""


async def tell_of_new_key(runtime: Runtime, unit: Unit, key: ApiKey) -> None:
    """Mail the person that a key acts in his name from now on (ASVS 5.0 V6.3.7)."""
    if key.kind is not KeyKind.PERSONAL or not runtime.section(ApiKeysSettings).notify_new_key:
        return
    for person in await _people(runtime, unit, [key.principal_id]):
        await _send(runtime, unit, person, key, "api_key_created")


async def responsible_for(runtime: Runtime, key: ApiKey) -> list[Account]:
    """Return who is to be told that a key ends: its person; of an organization's its maker and its owners.

    Call before the unit is opened: nobody's row is locked here, for others lock people before keys.
    """
    ids = [key.principal_id]
    if key.kind is not KeyKind.PERSONAL and key.organization_id is not None:
        async with runtime.reads() as session:
            owners = await HousekeepingRepository(session).list_owners(key.organization_id, MOST_OWNERS)
        ids = [key.created_by, *owners]
    return await _people(runtime, runtime.unit(), ids)


async def remind_of_end(runtime: Runtime, unit: Unit, key: ApiKey, people: Sequence[Account]) -> None:
    """Mail these people that a key ends soon (ASVS 5.0 V6.4.5)."""
    for person in people:
        await _send(runtime, unit, person, key, "api_key_expires")


async def _people(runtime: Runtime, unit: Unit, ids: Sequence[UUID | None]) -> list[Account]:
    """Return those who can be told, in the order of their ids: that of all who lock several."""
    wanted = sorted({UserId(PrincipalId(each)) for each in ids if each is not None})
    found = [await Users(runtime, unit).find_user(user_id) for user_id in wanted]
    return [person for person in found if person is not None and person.is_active]


async def _send(runtime: Runtime, unit: Unit, person: Account, key: ApiKey, template: str) -> None:
    organization = None
    if key.organization_id is not None:
        organization = await HousekeepingRepository(unit.session).name_of(key.organization_id)
    runtime.get(Mailer).enqueue(
        unit,
        template=template,
        to=parse_address(person.email).deliverable,
        locale=person.locale,
        context={
            "name": person.full_name or person.username,
            "key_name": key.name,
            "shown": f"{key.shown_prefix}…",
            "organization": organization,
            "is_own": key.kind is KeyKind.PERSONAL,
            "expires_at": key.expires_at,
            "at": key.created_at,
            "timezone": person.timezone,
            "keys_url": f"{runtime.settings.public_url}{PAGE}",
        },
    )
