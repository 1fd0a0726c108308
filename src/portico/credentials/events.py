"""What happens to credentials."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from portico.core.ids import SessionId, UserId
from portico.messaging import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRegistered(Event):
    """A person signed up by himself; `user.created` was announced before."""

    name: ClassVar[str] = "user.registered"

    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRepeated(Event):
    """Somebody tried to sign up with the address of an account; its owner, or somebody who looks for accounts."""

    name: ClassVar[str] = "user.registration_repeated"

    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChanged(Event):
    """The person has another password: all sessions must end but `keep_session_id`, in which he changed it."""

    name: ClassVar[str] = "password.changed"

    user_id: UserId
    keep_session_id: SessionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserUnlocked(Event):
    """An administrator had the wrong guesses at an account forgotten."""

    name: ClassVar[str] = "user.unlocked"

    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationTokenCreated(Event):
    """An invitation to sign up was made, good for `max_uses` people until `expires_at`."""

    name: ClassVar[str] = "registration_token.created"

    token_id: UUID
    max_uses: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationTokenUsed(Event):
    """Somebody signed up with an invitation."""

    name: ClassVar[str] = "registration_token.used"

    token_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationTokenRevoked(Event):
    """An invitation was withdrawn."""

    name: ClassVar[str] = "registration_token.revoked"

    token_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessingBlocked(Event):
    """So many wrong passwords were tried on an account that strangers are kept out until it is recovered."""

    name: ClassVar[str] = "password.guessing_blocked"

    user_id: UserId
