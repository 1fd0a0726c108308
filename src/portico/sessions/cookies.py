"""The cookies of sessions: names by scheme, attributes in one place.

    cookie    name on https                 on plain http       path            SameSite
    page      __Host-portico_session        portico_session     /               Lax
    refresh   __Secure-portico_refresh      portico_refresh     /api/v1/auth    Strict
    device    __Host-portico_device         portico_device      /               Lax

All are `HttpOnly`, and `Secure` whenever the public URL is https; plain http is for development on loopback only.
The prefixes keep sibling domains from planting a cookie of theirs (ASVS 5.0 V3.3.1, V3.3.3; CVE-2024-28197).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from portico.core.settings import Settings
from portico.http.cookies import CookieNames, find_cookie

CLEAR_SITE_DATA = '"cache", "storage"'
"""Not `cookies`: that takes those of every sibling domain along, and the device cookie that keeps strangers' guesses
from locking the person out. Ours are deleted one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieKind:
    """One cookie as it is set and deleted; its name is that of `portico.http.cookies`."""

    name: Callable[[CookieNames], str]
    path: str
    same_site: Literal["lax", "strict"]

    def set(self, response: Response, settings: Settings, value: str, *, max_age: timedelta) -> None:
        """Add the cookie to the response."""
        response.set_cookie(
            self.name(CookieNames.of(settings)),
            value,
            max_age=int(max_age.total_seconds()),
            path=self.path,
            secure=settings.is_https,
            httponly=True,
            samesite=self.same_site,
        )

    def delete(self, response: Response, settings: Settings) -> None:
        """Have the browser forget the cookie."""
        response.delete_cookie(
            self.name(CookieNames.of(settings)),
            path=self.path,
            secure=settings.is_https,
            httponly=True,
            samesite=self.same_site,
        )

    def read(self, request: Request, settings: Settings) -> str | None:
        """Return the request's cookie; None if it is missing, empty, or given twice."""
        header = request.headers.get("cookie")
        return find_cookie(header, self.name(CookieNames.of(settings))) or None


PAGE = CookieKind(name=lambda names: names.session, path="/", same_site="lax")
REFRESH = CookieKind(name=lambda names: names.refresh, path="/api/v1/auth", same_site="strict")
DEVICE = CookieKind(name=lambda names: names.device, path="/", same_site="lax")
