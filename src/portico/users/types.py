"""Words of people."""

from enum import StrEnum


class UserStatus(StrEnum):
    """Whether a person may sign in."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"


class RegistrationMode(StrEnum):
    """Who may sign up."""

    OPEN = "open"
    INVITE = "invite"
    CLOSED = "closed"


class EmailVerification(StrEnum):
    """Whether an address must be proven before the first sign-in."""

    OPTIONAL = "optional"
    REQUIRED = "required"
