"""Words of the token engines."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType
from uuid import UUID

FamilyId = NewType("FamilyId", UUID)

SHOWN = 4
"""How many characters of a secret a `repr` shows: the prefix that tells its kind."""


class TokenPurpose(StrEnum):
    """What a one-time token is good for; it is never accepted for anything else."""

    VERIFY_EMAIL = "verify_email"
    CHANGE_EMAIL = "change_email"
    RESET_PASSWORD = "reset_password"
    FIRST_ADMINISTRATOR = "first_administrator"


class FamilyEnd(StrEnum):
    """Why a family of refresh tokens ended."""

    REPLAYED = "replayed"
    REVOKED = "revoked"
    EXPIRED = "expired"


class RotationOutcome(StrEnum):
    """What presenting a good refresh token led to."""

    ROTATED = "rotated"
    REGRANTED = "regranted"
    """The direct parent came again within the grace: the same child, computed again, nothing written."""


class Secret(str):
    """A text that must not be shown: `repr` gives its first characters only (ASVS 5.0 V11.7.2)."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Show the beginning, for recognition in a log or a debugger."""
        return f"{type(self).__name__}('{self[:SHOWN]}…')"


class OneTimeSecret(Secret):
    """A one-time token as it travels in a link (`ptk_…`)."""

    __slots__ = ()


class RefreshToken(Secret):
    """A refresh token as its holder keeps it (`prt_…`)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A one-time token that was just made: the only moment at which secret and code are known.

    `code` is good until `code_expires_at` and only together with the address that the token was issued for.
    """

    id: UUID
    secret: OneTimeSecret
    code: str | None = field(repr=False)
    expires_at: datetime
    code_expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemedToken:
    """What a one-time token stands for; `payload` is what its issuer sealed into it."""

    id: UUID
    subject_id: UUID
    address: str | None
    payload: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Family:
    """One line of refresh tokens as the database knows it; `counter` is that of its only leaf."""

    id: FamilyId
    session_id: UUID | None
    grant_id: UUID | None
    client_id: str
    scope: str
    counter: int
    created_at: datetime
    rotated_at: datetime
    idle_expires_at: datetime
    absolute_expires_at: datetime
    ended_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        """Tell whether the leaf may still be presented."""
        return self.ended_at is None and now < self.idle_expires_at and now < self.absolute_expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """The answer to a good refresh token: the family, and the child to hand out."""

    family: Family
    refresh_token: RefreshToken
    outcome: RotationOutcome
