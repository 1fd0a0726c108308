"""Words of sessions."""

from enum import StrEnum

LONGEST_REASON = 200
"""Characters of the reason for an impersonation."""


class SessionEnd(StrEnum):
    """Why a session ended."""

    LOGGED_OUT = "logged_out"
    REVOKED = "revoked"
    REPLACED = "replaced"
    EXPIRED = "expired"
    REPLAYED = "replayed"
    PASSWORD_CHANGED = "password_changed"
    ACCOUNT_CLOSED = "account_closed"
    ACCOUNT_CLAIMED = "account_claimed"
    ACTOR_GONE = "actor_gone"
    """Of an impersonation: who acted is not signed in any more, changed his password, or may not act so."""


class Transport(StrEnum):
    """How what the sign-in gives reaches the client again.

    `BODY` and `COOKIE` tell where the refresh token travels; `PAGE` is the browser's session cookie, which needs no
    tokens.
    """

    BODY = "body"
    COOKIE = "cookie"
    PAGE = "page"


class SessionLimitPolicy(StrEnum):
    """What a sign-in does when the person has as many sessions as the limit allows."""

    END_OLDEST = "end_oldest"
    REFUSE = "refuse"


class AuthMethod(StrEnum):
    """Values of `amr`: how the person was authenticated (RFC 8176, section 2)."""

    PASSWORD = "pwd"
    ONE_TIME_PASSWORD = "otp"
    EMAIL_LINK = "email"
