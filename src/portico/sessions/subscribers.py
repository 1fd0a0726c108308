"""What sessions do when they hear of others' acts. All of it in the transaction of the act itself."""

from portico.access.events import RolesChanged
from portico.core.ids import PrincipalId, UserId
from portico.credentials.events import PasswordChanged
from portico.db.unit import Unit
from portico.mail.services import Mailer
from portico.runtime import Runtime
from portico.sessions.events import ImpersonationStarted, SessionCreated
from portico.sessions.repositories import SessionRepository
from portico.sessions.services import Impersonations, Sessions
from portico.sessions.settings import SessionsSettings
from portico.sessions.types import SessionEnd
from portico.tokens.events import RefreshTokenReused
from portico.users.addresses import parse_address
from portico.users.events import UserClaimed, UserDeactivated, UserDeleted


async def end_sessions_after_password_change(event: PasswordChanged, unit: Unit, runtime: Runtime) -> None:
    """End every session but the one in which the password was changed (ASVS 5.0 V7.4.3)."""
    await Sessions(runtime, unit).end_sessions_of(
        event.user_id, SessionEnd.PASSWORD_CHANGED, except_id=event.keep_session_id
    )
    await Impersonations(runtime, unit).end_by(event.user_id)


async def end_unfounded_impersonations(event: RolesChanged, unit: Unit, runtime: Runtime) -> None:
    """End what the roles of now do not allow any more: the actor lost his, or the person has got more."""
    await Impersonations(runtime, unit).end_unfounded(UserId(event.principal_id))


async def end_sessions_of_claimed_account(event: UserClaimed, unit: Unit, runtime: Runtime) -> None:
    """End the sessions that somebody opened before the owner of the address proved it."""
    await Sessions(runtime, unit).end_sessions_of(event.user_id, SessionEnd.ACCOUNT_CLAIMED)


async def end_sessions_of_closed_account(
    event: UserDeactivated | UserDeleted, unit: Unit, runtime: Runtime
) -> None:
    """End every session of an account that was switched off or deleted (ASVS 5.0 V7.4.2)."""
    await Sessions(runtime, unit).end_sessions_of(event.user_id, SessionEnd.ACCOUNT_CLOSED)


async def end_session_of_replayed_token(event: RefreshTokenReused, unit: Unit, runtime: Runtime) -> None:
    """End the session whose refresh token came twice: owner and thief cannot be told apart."""
    if event.session_id is None:
        return
    owner = await SessionRepository(unit.session).find_owner(event.session_id)
    if owner is not None:
        await Sessions(runtime, unit).end_sessions(
            UserId(PrincipalId(owner)), [event.session_id], reason=SessionEnd.REPLAYED
        )


async def tell_of_new_device(event: SessionCreated, unit: Unit, runtime: Runtime) -> None:
    """Mail the person when a device signs in that was not seen before (ASVS 5.0 V6.3.5)."""
    if not event.is_new_device or not runtime.section(SessionsSettings).notify_new_device:
        return
    found = await SessionRepository(unit.session).find_for_notice(event.session_id)
    if found is None:
        return
    runtime.get(Mailer).enqueue(
        unit,
        template="new_device",
        to=parse_address(found.email).deliverable,
        locale=found.locale,
        context={
            "name": found.full_name or found.username,
            "at": event.at,
            "timezone": found.timezone,
            "device": found.device_name,
            "place": found.place,
            "address": found.client_address,
        },
    )


async def tell_of_impersonation(event: ImpersonationStarted, unit: Unit, runtime: Runtime) -> None:
    """Mail the person that somebody acts in his name, why, and until when."""
    if not runtime.section(SessionsSettings).notify_impersonation:
        return
    found = await SessionRepository(unit.session).find_for_notice(event.session_id)
    if found is None:
        return
    runtime.get(Mailer).enqueue(
        unit,
        template="impersonation",
        to=parse_address(found.email).deliverable,
        locale=found.locale,
        context={
            "name": found.full_name or found.username,
            "at": event.at,
            "until": event.until,
            "timezone": found.timezone,
            "why": found.impersonation_reason,
        },
    )
