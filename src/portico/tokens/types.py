"""Words of the token engines."""

from enum import StrEnum
from typing import NewType
from uuid import UUID

FamilyId = NewType("FamilyId", UUID)


class TokenPurpose(StrEnum):
    """What a one-time token is good for; it is never accepted for anything else."""

    VERIFY_EMAIL = "verify_email"
    CHANGE_EMAIL = "change_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose, not a password
    FIRST_ADMINISTRATOR = "first_administrator"


class FamilyEnd(StrEnum):
    """Why a family of refresh tokens ended."""

    REPLAYED = "replayed"
    REVOKED = "revoked"
    EXPIRED = "expired"
