"""What happens to credentials."""

from dataclasses import dataclass
from typing import ClassVar

from portico.core.ids import SessionId, UserId
from portico.messaging import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRegistered(Event):
    """A person signed up by himself; `user.created` was announced before."""

    name: ClassVar[str] = "user.registered"

    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChanged(Event):
    """The person has another password: all sessions must end but `keep_session_id`, in which he changed it."""

    name: ClassVar[str] = "password.changed"

    user_id: UserId
    keep_session_id: SessionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessingBlocked(Event):
    """So many wrong passwords were tried on an account that strangers are kept out until it is recovered."""

    name: ClassVar[str] = "password.guessing_blocked"

    user_id: UserId
