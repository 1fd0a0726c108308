"""What registration asks of others, as a protocol: who may sign up.

Filled here by registration tokens; `organizations` lets its invitations in as well.
"""

from typing import Protocol

from portico.credentials.types import Admitted, Invited
from portico.db.unit import Unit
from portico.users.addresses import Address


class Admission(Protocol):
    """Decides who may sign up."""

    async def examine(self, invitation: str | None, address: Address) -> None:
        """Refuse at once, before anything costly, whoever cannot be admitted with this address.

        Raises:
            RegistrationClosed, InvitationRequired: nobody, or not without an invitation (403).
            InvitationInvalid: unknown, used up, withdrawn, expired, or for another address (400).
        """
        ...

    async def admit(self, invitation: str | None, address: Address, unit: Unit) -> Admitted:
        """Decide inside the transaction that makes the account, and use the invitation.

        The first statement of that transaction: locks that come before those of people are taken here.

        Raises:
            as `examine`.
        """
        ...

    async def find_invited(self, invitation: str) -> Invited | None:
        """Return what the sign-up page says of an invitation that names its guest; None for others, and bad ones."""
        ...
