"""What the authorization server does when it hears of others' acts. All of it in the transaction of the act itself."""

from portico.access.events import OrganizationRolesChanged
from portico.credentials.events import PasswordChanged
from portico.db.unit import Unit
from portico.messaging import Jobs
from portico.oauth.jobs import tell_signed_out
from portico.oauth.services.back_channel import clients_to_tell
from portico.oauth.services.grants import Grants
from portico.oauth.types import GrantEnd
from portico.runtime import Runtime
from portico.sessions.events import SessionsRevoked
from portico.sessions.types import SessionEnd
from portico.users.events import UserClaimed, UserDeactivated, UserDeleted


async def end_grants_of_sessions(event: SessionsRevoked, unit: Unit, runtime: Runtime) -> None:
    """End what was granted in sessions that are over, without `offline_access` (OIDC Core 1.0, section 11).

    Where a session's token came twice, somebody else may have had the account: whatever he connected goes, too.
    """
    grants = Grants(runtime, unit)
    if event.reason is SessionEnd.REPLAYED:
        await grants.end_of_person(event.user_id, GrantEnd.SIGNED_OUT)
        return
    await grants.end_of_sessions(event.session_ids, GrantEnd.SIGNED_OUT)


async def end_grants_after_password_change(event: PasswordChanged, unit: Unit, runtime: Runtime) -> None:
    """End everything that was granted before: who knew the old password may have connected it.

    Not by way of the sessions that end with it: there may be none, and what has `offline_access` lives without one.
    """
    await Grants(runtime, unit).end_of_person(event.user_id, GrantEnd.SIGNED_OUT)


async def tell_clients_of_sessions(event: SessionsRevoked, unit: Unit, runtime: Runtime) -> None:
    """Tell every client that somebody signed in to from these sessions (Back-Channel Logout 1.0, section 2.3)."""
    for each in await clients_to_tell(unit, event.session_ids):
        runtime.get(Jobs).enqueue(
            unit,
            tell_signed_out,
            client_key=each.client_key,
            session_id=each.session_id,
            user_id=each.user_id,
        )


async def end_grants_of_closed_account(
    event: UserDeactivated | UserDeleted | UserClaimed, unit: Unit, runtime: Runtime
) -> None:
    """End everything that acts for somebody whose account was switched off, deleted or taken over by its owner."""
    await Grants(runtime, unit).end_of_person(event.user_id, GrantEnd.PERSON_DISABLED)


async def end_grants_of_left_organization(
    event: OrganizationRolesChanged, unit: Unit, runtime: Runtime
) -> None:
    """End what acts for somebody in an organization that he belongs to no more."""
    if not event.roles:
        await Grants(runtime, unit).end_in_organization(
            event.organization_id, event.holder_id, GrantEnd.MEMBERSHIP_ENDED
        )
