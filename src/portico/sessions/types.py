"""Words of sessions."""

from enum import StrEnum


class SessionEnd(StrEnum):
    """Why a session ended."""

    LOGGED_OUT = "logged_out"
    REVOKED = "revoked"
    REPLACED = "replaced"
    EXPIRED = "expired"
    REPLAYED = "replayed"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a reason, not a password
    ACCOUNT_CLOSED = "account_closed"


class Transport(StrEnum):
    """How the refresh token travels."""

    BODY = "body"
    COOKIE = "cookie"
