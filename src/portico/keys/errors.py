"""What can go wrong with signed tokens."""

from portico.core.errors import Unauthenticated
from portico.keys.types import TokenFault


class TokenRejected(Unauthenticated):
    """A signed token is no good. `fault` says why, for the log; the caller is told no more than that."""

    code, title = "token_rejected", "This access token is not valid"

    def __init__(self, fault: TokenFault) -> None:
        super().__init__("The token has expired" if fault is TokenFault.EXPIRED else None)
        self.fault = fault
