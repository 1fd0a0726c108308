"""What happens to people and their addresses. Ids only: who wants more reads it, so that no event keeps personal data.

`UserClaimed` carries the sealed wish of whoever proved the address and is heard in the same transaction only.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from portico.core.ids import UserId
from portico.messaging import Event
from portico.users.types import Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCreated(Event):
    """A person has an account."""

    name: ClassVar[str] = "user.created"

    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class UserUpdated(Event):
    """The profile changed in these fields."""

    name: ClassVar[str] = "user.updated"

    user_id: UserId
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEmailVerified(Event):
    """The person has proven the address."""

    name: ClassVar[str] = "user.email_verified"

    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEmailChanged(Event):
    """The person has another address now, proven."""

    name: ClassVar[str] = "user.email_changed"

    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class UserClaimed(Event):
    """The owner of the address proved it: all that was set before (password, sessions, factors, keys) must go.

    `claim` is what he asked for when he signed up; None when he comes by another way (a password reset).
    """

    name: ClassVar[str] = "user.claimed"
    is_internal: ClassVar[bool] = True

    user_id: UserId
    claim: Claim | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDeactivated(Event):
    """An administrator switched the account off."""

    name: ClassVar[str] = "user.deactivated"

    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class UserActivated(Event):
    """An administrator switched the account on again."""

    name: ClassVar[str] = "user.activated"

    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDeleted(Event):
    """The account is closed; its data waits for the purge."""

    name: ClassVar[str] = "user.deleted"

    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRestored(Event):
    """An administrator opened a closed account again before the purge."""

    name: ClassVar[str] = "user.restored"

    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class UserErased(Event):
    """Nothing that names the person is left."""

    name: ClassVar[str] = "user.erased"

    user_id: UserId
