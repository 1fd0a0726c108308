"""What sessions ask of the features above."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from portico.http.authentication import Principal, Rejection

if TYPE_CHECKING:  # the services import this module
    from portico.sessions.services.believed import Belief


class ClientTokens(Protocol):
    """Knows what access tokens of clients are worth at our own API."""

    async def believe(self, claims: Mapping[str, Any]) -> "Belief":
        """Return whom a token stands for that we signed for our API and another client than ourselves.

        Raises:
            TokenRejected: it is good for nothing any more, or must be shown otherwise (401).
        """
        ...

    async def read_again(self, principal: Principal) -> Principal | Rejection:
        """Return the caller, or why his token is no good any more, by what the database says now."""
        ...


class SignInDestinations(Protocol):
    """Knows where a sign-in leads on to outside of this server."""

    async def targets_of(self, path: str) -> Sequence[str]:
        """Return the sources that `form-action` of the sign-in page needs if it goes on to `path`; none for our own."""
        ...
