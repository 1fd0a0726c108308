"""Where forms of ours lead in the end: what `form-action` of their pages must allow.

Browsers hold a form back whose redirects leave what `form-action` names. The form of sign-in leads to the client where
nothing has to be asked any more, so its page must know the client's address, too.
"""

from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from portico.oauth.repositories import RequestRepository
from portico.oauth.types import REQUESTS
from portico.runtime import Runtime
from portico.tokens.secret_format import NotASecret

RESUME = "/oauth/resume"


def form_target(redirect_uri: str) -> str:
    """Return what `form-action` names for a redirect URI: its origin, or the scheme of an app's own (CSP 3, 2.3.1)."""
    parts = urlsplit(redirect_uri)
    if parts.scheme in {"http", "https"}:
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"


class ReturnAddresses:
    """Fills the port of the sign-in page: where a `next` leads outside of this server."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def targets_of(self, path: str) -> Sequence[str]:
        """Return the sources that `form-action` needs for a sign-in that goes on to `path`."""
        parts = urlsplit(path)
        if parts.path != RESUME:
            return ()
        try:
            secret_hash = REQUESTS.hash_of(parse_qs(parts.query).get("ticket", [""])[0])
        except NotASecret:
            return ()
        async with self._runtime.reads() as session:
            found = await RequestRepository(session).find(secret_hash)
        if found is None:
            return ()
        return [form_target(value) for name, value in found.parameters if name == "redirect_uri"]
