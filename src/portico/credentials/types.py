"""Words of credentials, and the values that services hand around."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from uuid import UUID

from portico.access.types import PlatformRole
from portico.core.ids import UserId
from portico.users.types import Account


class Factor(StrEnum):
    """What is guessed; each factor of an account is counted by itself."""

    PASSWORD = "password"


@dataclass(frozen=True, slots=True)
class Verified:
    """The outcome of comparing a password with a hash."""

    ok: bool
    needs_rehash: bool = False


@dataclass(frozen=True, slots=True)
class GuessScope:
    """Whose guesses are counted together: one account, one factor, one known device or all strangers."""

    account: bytes = field(repr=False)
    factor: Factor
    device: str

    @property
    def is_stranger(self) -> bool:
        """Tell whether the guess comes from no known device."""
        return self.device == STRANGERS


STRANGERS = "strangers"


@dataclass(frozen=True, slots=True)
class GuessRules:
    """How guesses of one scope are slowed and stopped."""

    free: int
    most: int
    first_delay: timedelta
    longest_delay: timedelta

    def growing(self) -> list[tuple[int, timedelta]]:
        """Return the wrong guesses in a row whose pause is shorter than the longest, each with its pause."""
        doubled = ((self.free + n, self.first_delay * (1 << n)) for n in range(31))
        return list(takewhile(lambda step: step[1] < self.longest_delay, doubled))

    def delay_after(self, failures: int) -> timedelta | None:
        """Return the pause that follows the `failures`-th wrong guess in a row, None for none."""
        if failures < self.free:
            return None
        doublings = min(failures - self.free, 30)
        return min(self.first_delay * (1 << doublings), self.longest_delay)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """That somebody may sign up, and what comes with his invitation."""

    role: PlatformRole | None = None
    proves_address: bool = False
    """The invitation was mailed to the very address that signs up: whoever has it reads the mail there."""
    complete: Callable[[Account], Awaitable[None]] | None = field(default=None, repr=False)
    """Called in the same transaction once the account is there; what it raises undoes the sign-up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """What the sign-up page says of an invitation: whose address it is for, what it leads to, where it is shown."""

    email: str
    to: str
    path: str = field(repr=False)
    """The page that lets somebody accept who has an account already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedRegistrationToken:
    """A registration token at its making; `secret` is never seen again."""

    id: UUID
    secret: str = field(repr=False)
    expires_at: datetime
    max_uses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationTokenFacts:
    """A registration token as administrators see it."""

    id: UUID
    note: str | None
    role: PlatformRole | None
    max_uses: int
    uses: int
    created_by: UserId | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
