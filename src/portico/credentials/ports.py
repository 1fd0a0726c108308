"""What registration asks of others, as a protocol: who may sign up.

Filled here by registration tokens; `organizations` will let its invitations in as well.
"""

from typing import Protocol

from portico.credentials.types import Admitted
from portico.db.unit import Unit


class Admission(Protocol):
    """Decides who may sign up."""

    async def examine(self, invitation: str | None) -> None:
        """Refuse at once, before anything costly, whoever cannot be admitted.

        Raises:
            RegistrationClosed, InvitationRequired: nobody, or not without an invitation (403).
            InvitationInvalid: unknown, used up, withdrawn or expired (400).
        """
        ...

    async def admit(self, invitation: str | None, unit: Unit) -> Admitted:
        """Decide inside the transaction that makes the account, and use the invitation.

        Raises:
            as `examine`.
        """
        ...
