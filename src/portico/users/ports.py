"""What people need from the floors above, as protocols that those fill.

Who somebody is can be proven anew only by `portico.credentials`; what would be left behind without him is known to
`portico.organizations`. Both live above this feature.
"""

from typing import Protocol

from portico.core.ids import UserId
from portico.db.unit import Unit
from portico.http.authentication import Principal


class Reauthentication(Protocol):
    """Makes sure that it is the person himself who asks, not somebody at a forgotten screen."""

    async def confirm(self, principal: Principal, password: str | None) -> None:
        """Accept the password, or without one a sign-in of the last minutes. Call before the unit is opened.

        Raises:
            ReauthenticationRequired: no password, and the sign-in is too old (403).
            PasswordIncorrect: the password is wrong; the guess is counted (403).
            PasswordUnreadable: over 1,024 bytes, or no text (400).
            TooManyAttempts: guesses are blocked for now (429).
            HashingBusy: too many hash at once (503).
        """
        ...


class Obligations(Protocol):
    """Knows what a person must settle before he may close his account."""

    async def refuse_unsettled(self, unit: Unit, user_id: UserId) -> None:
        """Refuse the closing, and lock what it will touch; called in the open unit, before the person is locked.

        Raises:
            PorticoError: something is to be settled first (409).
        """
        ...
