"""Whether the name under which we are asked is ours (CHECK-13, CVE-2026-48710).

The public URL is never learnt from a request; this only decides who is answered. Health checks are, under any name;
pages asked for under another name are sent to the public URL; everything else is refused.
"""

import re
from enum import Enum, auto
from typing import Final
from urllib.parse import urlsplit

from portico.core.settings import Settings

_HOST: Final = re.compile(
    rb"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*|\[[0-9a-f:.]{2,45}\])"
    rb"(?::[0-9]{1,5})?"
)
MAX_HOST: Final = 255
MAX_REMEMBERED: Final = 512


class HostVerdict(Enum):
    """What a `Host` header is to us."""

    OURS = auto()
    FOREIGN = auto()
    """Well-formed, but another name."""
    MALFORMED = auto()


class HostPolicy:
    """Knows the names of this server: the public URL's, and those of `settings.http.allowed_hosts`."""

    def __init__(self, settings: Settings) -> None:
        self._default_port = b":443" if settings.is_https else b":80"
        self._own = without_port(settings.public_host.encode("ascii"), self._default_port)
        self._allowed = tuple(name.lower().encode("ascii") for name in settings.http.allowed_hosts)
        self._verdicts: dict[bytes, HostVerdict] = {self._own: HostVerdict.OURS}

    def judge(self, host: bytes | None) -> HostVerdict:
        """Return what a `Host` header is; the answers for names seen before are remembered."""
        if host is None:
            return HostVerdict.MALFORMED
        verdict = self._verdicts.get(host)
        if verdict is None:
            verdict = self._judge(host.lower())
            if len(self._verdicts) < MAX_REMEMBERED and len(host) <= MAX_HOST:
                self._verdicts[host] = verdict
        return verdict

    def _judge(self, host: bytes) -> HostVerdict:
        if len(host) > MAX_HOST or _HOST.fullmatch(host) is None:
            return HostVerdict.MALFORMED
        named = without_port(host, self._default_port)
        if named == self._own or any(_covers(allowed, named) for allowed in self._allowed):
            return HostVerdict.OURS
        return HostVerdict.FOREIGN


def _covers(allowed: bytes, host: bytes) -> bool:
    """Tell whether an allowed name covers the host; one without a port covers every port."""
    name = host if _port_of(allowed) else host.removesuffix(_port_of(host))
    if allowed.startswith(b"*."):
        return name.endswith(allowed[1:]) and len(name) > len(allowed) - 1
    return name == allowed


def _port_of(host: bytes) -> bytes:
    _, colon, port = host.rpartition(b":")
    return colon + port if colon and port.isdigit() else b""


def without_port(host: bytes, default_port: bytes) -> bytes:
    """Return the host without the port that its scheme has anyway."""
    return host.removesuffix(default_port)


def public_origin(settings: Settings) -> str:
    """Return the origin of the public URL as browsers write it: no path, no default port, lower case."""
    parts = urlsplit(settings.public_url)
    default = ":443" if parts.scheme == "https" else ":80"
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(default)}"
