"""The port of all transports, and the three ways in which a delivery can fail."""

from typing import Protocol

from portico.mail.messages import OutgoingMail


class DeliveryFailure(Exception):
    """A delivery failed. `reason` names the answer of the server; the sender strips addresses from it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TransportDown(DeliveryFailure):
    """No message can leave at present: refused connection, wrong certificate or password, 421."""


class Deferred(DeliveryFailure):
    """This message cannot leave at present: 450, a time-out in the middle of it."""


class Refused(DeliveryFailure):
    """This message will never leave: 550, an address that the server does not take."""


class Transport(Protocol):
    """Takes messages, one at a time; several may be under way."""

    async def send(self, mail: OutgoingMail) -> None:
        """Deliver one message; when it returns, the other side has taken it durably.

        Raises:
            TransportDown, Deferred, Refused: it has not.
        """
        ...

    async def check(self) -> str:
        """Return a short sentence about the transport's state.

        Raises:
            TransportDown: it cannot send at present.
        """
        ...
