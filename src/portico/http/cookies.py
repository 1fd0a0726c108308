"""The names of our cookies and the one way to read them.

On https the session and device cookies carry `__Host-`, the refresh cookie `__Secure-`; on plain http, which only
development on loopback allows, they go without. Who sets them are the features that own them.
"""

from dataclasses import dataclass

from portico.core.settings import Settings


@dataclass(frozen=True, slots=True)
class CookieNames:
    """The names under these settings."""

    session: str
    refresh: str
    device: str

    @classmethod
    def of(cls, settings: Settings) -> "CookieNames":
        """Return the names that the public URL's scheme asks for."""
        if not settings.is_https:
            return cls("portico_session", "portico_refresh", "portico_device")
        return cls("__Host-portico_session", "__Secure-portico_refresh", "__Host-portico_device")


def find_cookie(header: str | None, name: str) -> str | None:
    """Return a cookie of a `Cookie` header; None if it is missing, or given twice.

    Two mean that somebody else could set one, a sibling domain for instance: neither is believed.
    """
    if not header or f"{name}=" not in header:
        return None
    pairs = (part.strip().partition("=") for part in header.split(";"))
    values = [value for given, _, value in pairs if given == name]
    return values[0] if len(values) == 1 else None
