"""Which paths belong to programs and which to people: the first get problem documents, the others pages."""

from collections.abc import Mapping
from typing import Final

_PROGRAMS: Final = ("/api/", "/.well-known/", "/health/", "/oauth/", "/_assets/", "/openapi.json", "/metrics")
_EXACTLY: Final = frozenset({"/api", "/health", "/oauth", "/.well-known"})
_PEOPLE: Final = frozenset(
    {"/oauth/authorize", "/oauth/resume", "/oauth/consent", "/oauth/logout", "/oauth/logout/confirm"}
)
"""Where browsers are led between the endpoints of the protocol."""
_HEALTH: Final = "/health"


def is_program_path(path: str) -> bool:
    """Tell whether programs ask for the path: no redirect to another host, no HTML."""
    return (path.startswith(_PROGRAMS) and path not in _PEOPLE) or path in _EXACTLY


def is_health_path(path: str) -> bool:
    """Tell whether the path is a health check, which is answered under any host name."""
    return path == _HEALTH or path.startswith("/health/")


def wants_page(path: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a person in a browser is to be shown a page."""
    return not is_program_path(path) and "text/html" in headers.get("accept", "")
