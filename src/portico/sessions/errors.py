"""What can go wrong with signing in and with sessions."""

from portico.core.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated


class AccountDeactivated(Forbidden):
    """The password was right, but an administrator has switched the account off."""

    code, title = "account_deactivated", "This account is switched off"
    persist = True


class EmailNotVerified(Forbidden):
    """The password was right, but the address must be proven before the first sign-in."""

    code, title = "email_not_verified", "Confirm your e-mail address first"
    persist = True


class TooManySessions(Conflict):
    """The person has as many sessions as the limit allows, and the setting refuses one more."""

    code, title = "too_many_sessions", "Sign out on another device first"
    persist = True


class SessionEnded(Unauthenticated):
    """The token is genuine, but its session was ended or its person may no longer sign in."""

    code, title = "session_ended", "This session has ended, sign in again"


class RefreshTokenMissing(Unauthenticated):
    """Neither the body nor the cookie carries a refresh token."""

    code, title = "refresh_token_missing", "A refresh token is needed"


class OwnAccount(Conflict):
    """Nobody needs to act in his own name."""

    code, title = "own_account", "This is your own account"
    persist = True


class PersonInactive(Conflict):
    """The person's account is switched off, and nobody acts in his name."""

    code, title = "person_inactive", "This account is switched off"
    persist = True


class ReasonInvalid(Invalid):
    """The reason for an impersonation is empty, too long, or no plain text."""

    code, title = "reason_invalid", "Say why, in at most 200 characters"


class SessionNotFound(NotFound):
    """There is no such live session of yours."""

    code, title = "session_not_found", "There is no such session"
