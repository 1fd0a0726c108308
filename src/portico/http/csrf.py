"""The token against forged requests: a MAC of the session cookie, so that nothing has to be kept.

A request that is authenticated by cookie and changes something carries it in the form field `csrf_token` or the
header `X-CSRF-Token`. The edge checks it (`portico.http.edge.forgery`), besides the origin. Source: ASVS 5.0 V3.5.1.
"""

from typing import Final

from starlette.requests import Request

from portico.core.crypto import RootSecret, b64encode, same
from portico.http.cookies import CookieNames, find_cookie
from portico.runtime import Runtime

FIELD: Final = "csrf_token"
HEADER: Final = "x-csrf-token"
_PURPOSE: Final = "http.csrf"


def token_for(secret: RootSecret, session_cookie: str) -> str:
    """Return the token that belongs to a session cookie (43 characters)."""
    return b64encode(secret.mac(_PURPOSE, session_cookie.encode()))


def is_token_for(secret: RootSecret, session_cookie: str, token: str) -> bool:
    """Tell, in constant time, whether `token` belongs to the session cookie."""
    given = token.encode("utf-8", "replace")
    macs = secret.macs(_PURPOSE, session_cookie.encode())
    return sum(same(given, b64encode(mac).encode()) for mac in macs) > 0


def csrf_token(request: Request) -> str:
    """Return the token for a form on this page; empty for a visitor without a session, whose forms need none."""
    runtime: Runtime = request.app.state.runtime
    cookie = find_cookie(request.headers.get("cookie"), CookieNames.of(runtime.settings).session)
    return token_for(runtime.secret, cookie) if cookie else ""
