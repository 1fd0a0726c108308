"""What every answer carries, errors included: id of the request, security, CORS (ASVS 5.0 V3.4, V14.3.2)."""

from typing import Final

from starlette.types import Scope

from portico.core.settings import Settings
from portico.http.content_policy import DATA_POLICY, policy_of

type RawHeaderList = list[tuple[bytes, bytes]]

_HSTS: Final = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
_PERMISSIONS: Final = (
    b"accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(), "
    b"geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), "
    b"publickey-credentials-create=(self), publickey-credentials-get=(self), screen-wake-lock=(), usb=(), "
    b"xr-spatial-tracking=()"
)
_ALWAYS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", _PERMISSIONS),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NO_STORE: Final = (b"cache-control", b"no-store")
_DATA_POLICY: Final = (b"content-security-policy", DATA_POLICY.encode("ascii"))


class AnswerHeaders:
    """Adds to an answer what every answer carries; what the route set itself stays."""

    def __init__(self, settings: Settings) -> None:
        self._always = (*_ALWAYS, _HSTS) if settings.is_https else _ALWAYS
        # The whole block that a plain JSON answer gets: the common case is one concatenation.
        self._for_data = (*self._always, _DATA_POLICY, _NO_STORE)
        self._names = frozenset(name for name, _ in self._for_data)

    def add(self, given: RawHeaderList, scope: Scope) -> RawHeaderList:
        """Return the answer's headers, completed."""
        own = dict(given)
        is_page = own.get(b"content-type", b"").startswith(b"text/html")
        if not is_page and self._names.isdisjoint(own):
            return [*given, *self._for_data]
        headers = [*given, *(header for header in self._always if header[0] not in own)]
        if b"content-security-policy" not in own:
            headers.append((b"content-security-policy", policy_of(scope, is_page=is_page)))
        if b"cache-control" not in own:
            headers.append(_NO_STORE)
        return headers
