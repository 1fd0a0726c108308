"""Words of people, and the values that services hand around."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from portico.access.types import PlatformRole
from portico.core.ids import UserId


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A living person with the primary address, as services hand him around; no secret is in it."""

    id: UserId
    status: UserStatus
    email_id: UUID
    email: str
    email_normal_form: str
    email_verified_at: datetime | None
    username: str | None
    full_name: str | None
    locale: str
    timezone: str
    created_at: datetime
    updated_at: datetime
    version: int
    roles: tuple[PlatformRole, ...] = ()
    """Platform roles, sorted."""

    @property
    def is_active(self) -> bool:
        """Tell whether no administrator has switched the account off."""
        return self.status is UserStatus.ACTIVE

    @property
    def email_verified(self) -> bool:
        """Tell whether the person has proven the address."""
        return self.email_verified_at is not None

    @property
    def display_name(self) -> str:
        """Return what mails and pages call the person: full name, else username, else address."""
        return self.full_name or self.username or self.email


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a later registration attempt at a taken, unproven address asked for; applied when it proves the address.

    Travels sealed inside the verification token (SECURITY_BAR check 10: an unverified address never blocks its owner).
    """

    password_hash: str
    username: str | None = None
    full_name: str | None = None
    locale: str | None = None
    role: str | None = None

    def __repr__(self) -> str:
        """Show that there is one, not the hash."""
        return f"Claim(username={self.username!r})"
