"""Takes http and https URIs apart, strictly and once, for every rule that judges one.

Parsers disagree about odd URIs, and a check that reads one host while a browser visits another is no check. What has
an odd host, a user name or a character outside RFC 3986 is therefore no URI here. Fetching has a gate of its own
(`portico.outbound`); custom schemes are the business of `redirect_uris`.
"""

import ipaddress
import re
from dataclasses import dataclass

DEFAULT_PORTS = {"http": 80, "https": 443}
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "[::1]", "localhost"})
MAX_HOST = 253
HIGHEST_PORT = 65_535

URI_TEXT = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
"""Every character that a URI may have, a percent sign only before two hexadecimal digits (RFC 3986, section 2)."""
_PARTS = re.compile(
    r"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[^?#]*)?)(?P<query>(?:\?[^#]*)?)(?P<fragment>(?:#.*)?)"
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class HttpUri:
    """The pieces: scheme and host in lower case, the host of IPv6 in brackets; the rest as it was written.

    `path` is empty or begins with a slash, `query` with a question mark, `fragment` with a number sign.
    """

    scheme: str
    host: str
    port: int | None
    path: str
    query: str
    fragment: str

    @property
    def is_loopback(self) -> bool:
        """Tell whether it leads to the person's own device, without TLS (RFC 8252, section 7.3)."""
        return self.scheme == "http" and self.host in LOOPBACK_HOSTS

    @property
    def origin(self) -> tuple[str, str, int]:
        """Return scheme, host and the port that is really meant (RFC 6454, section 4)."""
        return self.scheme, self.host, DEFAULT_PORTS[self.scheme] if self.port is None else self.port

    @property
    def authority(self) -> str:
        """Return host and port, without a port that goes without saying (RFC 3986, section 6.2.3)."""
        port = self.origin[2]
        return self.host if port == DEFAULT_PORTS[self.scheme] else f"{self.host}:{port}"


def read_http_uri(text: str) -> HttpUri | None:
    """Return the pieces of an absolute http or https URI, or None if it is none."""
    found = _PARTS.fullmatch(text) if URI_TEXT.fullmatch(text) else None
    if found is None:
        return None
    host, port = found["host"].lower(), found["port"]
    if not _is_host(host) or (port and not 0 < int(port) <= HIGHEST_PORT):
        return None
    return HttpUri(
        found["scheme"].lower(),
        host,
        int(port) if port else None,
        found["path"],
        found["query"],
        found["fragment"],
    )


def has_dot_segments(path: str) -> bool:
    """Tell whether a segment is `.` or `..`, also percent-encoded: what others may resolve to another path."""
    return any(segment.lower().replace("%2e", ".") in {".", ".."} for segment in path.split("/"))


def _is_host(host: str) -> bool:
    if host.startswith("["):
        return _is_address(host[1:-1])
    labels = host.split(".")
    if len(host) > MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        return False
    # "2130706433", "0x7f.1" and "127.1" are addresses to some; only the usual spelling is taken for one.
    return not _NUMBER.fullmatch(labels[-1]) or _is_address(host)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
