"""What sessions ask of the features above."""

from collections.abc import Sequence
from typing import Protocol


class SignInDestinations(Protocol):
    """Knows where a sign-in leads on to outside of this server."""

    async def targets_of(self, path: str) -> Sequence[str]:
        """Return the sources that `form-action` of the sign-in page needs if it goes on to `path`; none for our own."""
        ...
