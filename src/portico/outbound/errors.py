"""What can go wrong on the way out.

    OutboundError           code                wrong with
    ├── UrlRefused          url_refused         the URL as it is written
    ├── AddressForbidden    address_forbidden   where it leads
    ├── Unreachable         unreachable         no such name, nobody answers there, a certificate that is not theirs
    ├── TooSlow             too_slow            the time was up
    └── AnswerBroken        answer_broken       what came back is no HTTP answer, or ended in the middle

None of them is a `PorticoError`: the caller of the API did nothing wrong when a foreign server is away. The texts are
safe to show to whoever chose the address; they name no address of the inside.
"""

from typing import ClassVar


class OutboundError(Exception):
    """The root; `reason` is one short sentence."""

    code: ClassVar[str] = "outbound_error"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UrlRefused(OutboundError):
    """The URL is not one that we call: another scheme, a user name in it, an odd spelling of an address."""

    code = "url_refused"


class AddressForbidden(OutboundError):
    """The name leads to an address that is not on the public Internet."""

    code = "address_forbidden"

    def __init__(self, reason: str = "leads to an address that is not public") -> None:
        super().__init__(reason)


class Unreachable(OutboundError):
    """Nobody was there, or not who was expected."""

    code = "unreachable"


class TooSlow(OutboundError):
    """The time for connecting, or for the whole request, was up."""

    code = "too_slow"


class AnswerBroken(OutboundError):
    """The connection ended before the answer did, or spoke something else than HTTP."""

    code = "answer_broken"
