"""Reads the URL of a request, once; what is checked is what is sent.

Parsers disagree about odd URLs, and a gate that reads one thing while the client reads another is open. Therefore a
URL is taken apart here only, everything unusual is refused, and the pieces go to the wire as they are.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import idna

from portico.outbound.addresses import read_address
from portico.outbound.errors import UrlRefused

MAX_URL = 2_000
MAX_HOST = 253
DEFAULT_PORTS = {"http": 80, "https": 443}
LOWEST_FREE_PORT = 1024
FOREIGN_PORTS = frozenset(
    {
        1719, 1720, 1723, 2049, 2375, 2376, 2377, 2379, 2380, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 5672,
        5900, 6000, 6379, 6380, 6443, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 7000, 7001, 8500, 9042, 9092,
        9160, 9200, 9300, 10080, 10250, 10255, 11211, 27017, 27018, 50000,
    }
)  # fmt: skip
"""Ports over 1023 on which something else than a web server listens: a request to it could be taken for a command."""
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_SAFE_IN_PATH = "%/:@!$&'()*+,;=-._~"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: `host` is a name in ASCII or an address, without brackets; `path` begins with `/`."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> "Target":
        """Read a URL.

        Raises:
            UrlRefused: not http or https, a user name in it, a fragment, an odd host or a forbidden port.
        """
        if len(url) > MAX_URL or not url.isprintable() or any(letter in url for letter in " \\"):
            raise UrlRefused("is too long, or has characters that do not belong into a URL")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise UrlRefused("is not a URL") from None
        if parts.scheme not in DEFAULT_PORTS:
            raise UrlRefused("must begin with https:// or http://")
        if "@" in parts.netloc or parts.fragment or "#" in url:
            raise UrlRefused("must have neither a user name nor a fragment")
        host = _host(parts.hostname or "", is_bracketed=parts.netloc.startswith("["))
        return cls(parts.scheme, host, _port(port, parts.scheme), _path(parts.path, parts.query))

    @property
    def authority(self) -> str:
        """Return the `Host` header (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Return the whole URL in its normal form."""
        return f"{self.scheme}://{self.authority}{self.path}"


def _host(written: str, *, is_bracketed: bool) -> str:
    if is_bracketed:
        return _literal(written)
    name = written.removesuffix(".")
    if not name.isascii():
        name = _in_ascii(name)
    labels = name.split(".")
    if len(name) > MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlRefused("has no proper host name")
    # "2130706433", "0x7f.1" and "127.1" are addresses to some resolvers; only the usual spelling is taken for one.
    return _literal(name) if _NUMBER.fullmatch(labels[-1]) else name


def _literal(written: str) -> str:
    try:
        read_address(written)
    except ValueError:
        raise UrlRefused("writes an address in an unusual way") from None
    return written


def _in_ascii(name: str) -> str:
    try:
        return idna.encode(name, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        raise UrlRefused("has no proper host name") from None


def _port(port: int | None, scheme: str) -> int:
    chosen = DEFAULT_PORTS[scheme] if port is None else port
    if chosen in DEFAULT_PORTS.values():
        return chosen
    if chosen < LOWEST_FREE_PORT or chosen in FOREIGN_PORTS:
        raise UrlRefused(
            f"must not name port {chosen}: use 80, 443, or one above 1023 that is no other service's"
        )
    return chosen


def _path(path: str, query: str) -> str:
    safe_path = quote(path or "/", safe=_SAFE_IN_PATH)
    return f"{safe_path}?{quote(query, safe=_SAFE_IN_PATH + '?')}" if query else safe_path
