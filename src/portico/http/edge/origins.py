"""Whose pages may call us: the origin of unsafe requests, and CORS (CHECK-18, ASVS 5.0 V3.4.2, V3.5.1).

Browsers say in `Origin` and `Sec-Fetch-Site` which page sends a request; neither can be forged by a page. A request
with neither comes from no browser and carries no authority that its sender does not have himself.

Pages whose address may hold a token forbid the referrer, and browsers send `Origin: null` with their forms: then only
`Sec-Fetch-Site: same-origin` tells that it is ours. A sandboxed or foreign page sends `null` with `cross-site`.
"""

from collections.abc import Mapping
from typing import Final

from portico.core.settings import Settings
from portico.http.edge.hosts import public_origin

_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS: Final = (
    b"Accept-Language, Authorization, Content-Type, DPoP, Idempotency-Key, If-Match, If-None-Match, X-CSRF-Token, "
    b"X-Correlation-ID, X-Request-ID, Last-Event-ID, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id"
)
_ANSWER_HEADERS: Final = (
    b"DPoP-Nonce, ETag, Idempotency-Replayed, Link, Location, Mcp-Session-Id, RateLimit, RateLimit-Policy, "
    b"Retry-After, WWW-Authenticate, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-ID"
)
VARY: Final = (b"vary", b"Origin")

PREFLIGHT_HEADERS: Final = (
    (b"access-control-allow-methods", _METHODS),
    (b"access-control-allow-headers", _REQUEST_HEADERS),
    (b"access-control-max-age", b"600"),
)
"""What the answer to a preflight says besides who may read it."""

ANY_ORIGIN: Final = (b"access-control-allow-origin", b"*")
OPEN_HEADERS: Final = (ANY_ORIGIN, (b"access-control-expose-headers", _ANSWER_HEADERS))
"""What answers of routes say that are open to clients: any page may read them, none sends a cookie along."""

type RawHeaderList = list[tuple[bytes, bytes]]


class OriginPolicy:
    """Knows our own origins and those whose pages may call the API."""

    def __init__(self, settings: Settings) -> None:
        self._own = public_origin(settings).encode("ascii")
        self._scheme = b"https://" if settings.is_https else b"http://"
        self._any = "*" in settings.http.cors_origins
        self._listed = frozenset(
            origin.lower().rstrip("/").encode("ascii")
            for origin in settings.http.cors_origins
            if origin != "*"
        )
        self._credentials = settings.http.cors_credentials and not self._any
        self.has_cors = self._any or bool(self._listed)

    def may_write(self, headers: Mapping[bytes, bytes]) -> bool:
        """Tell whether a request with ambient authority, or none, may change something."""
        origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
        if origin is None:
            return site in {None, b"same-origin", b"none"}
        if origin == b"null":
            return site == b"same-origin"
        if self._is_own(origin, headers):
            return site in {None, b"same-origin", b"none"}
        return origin in self._listed

    def may_connect(self, headers: Mapping[bytes, bytes]) -> bool:
        """Tell whether a WebSocket may be opened: browsers do not hold those back themselves (ASVS V4.4.2)."""
        origin = headers.get(b"origin")
        return origin is None or self._is_own(origin, headers) or origin in self._listed

    def _is_own(self, origin: bytes, headers: Mapping[bytes, bytes]) -> bool:
        """Tell whether a page is ours: the public URL's, or that of the very host asked, which was found ours."""
        return origin == self._own or origin == self._scheme + headers.get(b"host", b"").lower()

    def allows(self, origin: bytes) -> bool:
        """Tell whether pages of `origin` may read answers of the API."""
        return self._any or origin in self._listed

    def answer_headers(self, origin: bytes | None) -> RawHeaderList:
        """Return what an API answer tells the browser."""
        if origin is None or not self.allows(origin):
            return [VARY] if self._listed else []
        return [*self._grant(origin), (b"access-control-expose-headers", _ANSWER_HEADERS)]

    def _grant(self, origin: bytes) -> RawHeaderList:
        if self._any:
            return [(b"access-control-allow-origin", b"*")]
        granted = [(b"access-control-allow-origin", origin), VARY]
        return [*granted, (b"access-control-allow-credentials", b"true")] if self._credentials else granted
