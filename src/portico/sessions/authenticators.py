"""Recognises callers by access token and by session cookie, before any route runs.

On a hit nothing is awaited, parsed or logged: a SHA-256, a look into a dict, a comparison of two times.
"""

import re
from collections.abc import Mapping

from starlette.types import Scope

from portico.http.authentication import Principal, Rejection
from portico.keys.errors import TokenRejected
from portico.keys.types import TokenFault
from portico.runtime import Runtime
from portico.sessions.errors import SessionEnded
from portico.sessions.services.access_tokens import AccessTokens
from portico.sessions.services.page_sessions import PageCookies

MAX_TOKEN = 8192
"""Longer ones are refused unread (CVE-2026-48525)."""

_SCHEME = "bearer"
_B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*\Z", re.ASCII)
_MALFORMED = Rejection("malformed_credential", "The Authorization header is malformed")
_EXPIRED = Rejection("token_expired", "The access token has expired")
_REJECTED = Rejection("token_rejected", "The access token is not valid")
_ENDED = Rejection("session_ended", "The session has ended")


class BearerAuthenticator:
    """Access tokens in `Authorization: Bearer …`, and nowhere else (RFC 9700, section 2.6)."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._tokens: AccessTokens | None = None

    async def authenticate(self, scope: Scope, headers: Mapping[str, str]) -> Principal | Rejection | None:
        """Return the principal, a rejection, or None where the header names another scheme."""
        header = headers.get("authorization")
        if header is None:
            return None
        tokens = self._tokens or self._ready()
        if header[:7] == "Bearer " and (principal := tokens.find(header[7:])) is not None:
            return principal
        return await self._verified(tokens, header)

    def _ready(self) -> AccessTokens:
        """Take the tokens of the running process; at construction it was not up yet."""
        self._tokens = self._runtime.get(AccessTokens)
        return self._tokens

    async def _verified(self, tokens: AccessTokens, header: str) -> Principal | Rejection | None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != _SCHEME:
            return _MALFORMED if not scheme.isascii() or "," in scheme or _SCHEME in header.lower() else None
        # One scheme, one space, one token of the grammar's characters: anything else is refused before it is
        # looked at, so that no two parsers can disagree about it (RFC 6750, section 2.1; CVE-2026-0707).
        if len(token) > MAX_TOKEN or _B64TOKEN.match(token) is None:
            return _MALFORMED
        try:
            return await tokens.verify(token)
        except TokenRejected as error:
            return _EXPIRED if error.fault is TokenFault.EXPIRED else _REJECTED
        except SessionEnded:
            return _ENDED


class CookieAuthenticator:
    """The session cookie of the pages. An unknown or ended one is as good as none: the visitor is anonymous."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._cookies: PageCookies | None = None

    async def authenticate(self, scope: Scope, headers: Mapping[str, str]) -> Principal | Rejection | None:
        """Return the principal, or None."""
        header = headers.get("cookie")
        if header is None:
            return None
        cookies = self._cookies or self._ready()
        value = cookies.value_in(header)
        if value is None:
            return None
        return cookies.find(value) or await cookies.verify(value)

    def _ready(self) -> PageCookies:
        self._cookies = self._runtime.get(PageCookies)
        return self._cookies
