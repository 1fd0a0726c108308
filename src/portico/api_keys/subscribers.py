"""What keys do when they hear of others' acts. All of it in the transaction of the act itself."""

from portico.access.events import OrganizationRolesChanged
from portico.api_keys.services.ending import KeyEnding
from portico.api_keys.types import KeyEnd, KeyKind
from portico.db.unit import Unit
from portico.runtime import Runtime
from portico.users.events import UserClaimed, UserDeactivated, UserDeleted


async def end_keys_of_closed_account(
    event: UserDeactivated | UserDeleted, unit: Unit, runtime: Runtime
) -> None:
    """End the keys that act for somebody whose account was switched off or deleted (ASVS 5.0 V7.4.2)."""
    await KeyEnding(runtime, unit).end(reason=KeyEnd.ACCOUNT_CLOSED, principal_id=event.user_id)


async def end_keys_of_claimed_account(event: UserClaimed, unit: Unit, runtime: Runtime) -> None:
    """End every key that somebody made before the owner of the address proved it, also those of organizations."""
    ending = KeyEnding(runtime, unit)
    await ending.end(reason=KeyEnd.ACCOUNT_CLAIMED, principal_id=event.user_id)
    await ending.end(reason=KeyEnd.ACCOUNT_CLAIMED, created_by=event.user_id)


async def end_keys_of_left_organization(
    event: OrganizationRolesChanged, unit: Unit, runtime: Runtime
) -> None:
    """End the own keys of somebody in an organization that he belongs to no more; back again, he makes new ones."""
    if not event.roles:
        await KeyEnding(runtime, unit).end(
            reason=KeyEnd.LEFT_ORGANIZATION,
            principal_id=event.holder_id,
            organization_id=event.organization_id,
            kind=KeyKind.PERSONAL,
        )
