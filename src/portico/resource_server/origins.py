"""Whether a request was meant for this resource at all: its `Host`, and the page that made a browser send it.

A page whose name was rebound to our address (DNS rebinding) sends its own name in `Host`, and a page elsewhere sends
its own in `Origin`. Neither belongs here unless it was listed. A program sends no `Origin`.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from portico.oauth.protocol.uris import read_http_uri
from portico.resource_server.errors import AccessRefused

MISDIRECTED = 421
FORBIDDEN = 403


class HostAndOrigin:
    """Knows the resource's own host and origin, and those that were listed besides."""

    def __init__(self, resource: str, hosts: Collection[str], origins: Collection[str]) -> None:
        """Take host names, with a port where it is not the scheme's own, and origins (`https://app.example.com`).

        Raises:
            ValueError: one of them is none.
        """
        parts = urlsplit(resource)
        self._scheme = (
            parts.scheme
        )  # a proxy in front of us may end TLS: the request's own scheme says nothing
        self._hosts = {_known(_origin(f"{self._scheme}://{host}"), host) for host in (parts.netloc, *hosts)}
        own = f"{parts.scheme}://{parts.netloc}"
        self._origins = {_known(_origin(origin), origin) for origin in (own, *origins)}

    def check(self, headers: Collection[tuple[bytes, bytes]]) -> None:
        """Refuse a request that names another host, or comes from another page.

        Raises:
            AccessRefused: 421 for the host, 403 for the page.
        """
        hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
        if len(hosts) != 1 or _origin(f"{self._scheme}://{hosts[0]}") not in self._hosts:
            raise AccessRefused(MISDIRECTED, "This resource has another name")
        origins = [value.decode("latin-1") for name, value in headers if name == b"origin"]
        if not all(_origin(origin) in self._origins for origin in origins):
            raise AccessRefused(FORBIDDEN, "Pages of this origin may not call this resource")


def _origin(text: str) -> str | None:
    """Return scheme, host and port in the form in which two spellings of one are the same text; None if it is none."""
    uri = read_http_uri(text)
    if uri is None or uri.path or uri.query or uri.fragment:
        return None
    return f"{uri.scheme}://{uri.authority}"


def _known(origin: str | None, written: str) -> str:
    if origin is None:
        raise ValueError(f"{written!r} is no host or origin")
    return origin
