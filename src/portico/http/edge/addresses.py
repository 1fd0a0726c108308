"""Where a request comes from: the socket, or what a trusted proxy says (CHECK-13, ASVS 5.0 V15.3.4).

Only the one configured header is read, only when the socket's peer is a trusted proxy, and from right to left: each
proxy appends what it saw, so that everything left of the first untrusted address is the caller's own invention. What
is no address stops the walk. Names with underscores are other headers, and not read at all.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final, NamedTuple

from portico.core.settings import HttpSettings

UNKNOWN: Final = "unknown"
UNIX: Final = "unix"
MAX_HOPS: Final = 32
_WITH_PORT: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")
_FORWARDED_FOR: Final = re.compile(r"""(?:^|;)\s*for=("?)([^";,\s]+)\1\s*(?:;|$)""", re.IGNORECASE)

type Address = IPv4Address | IPv6Address


class Client(NamedTuple):
    """The client: its address for the trail, and the key under which it is counted."""

    text: str | None
    key: str


@lru_cache(maxsize=8_192)
def client_of(text: str) -> Client:
    """Return the client at an address: IPv6 is counted by /64, of which one subscriber has all (CVE-2026-45364)."""
    address = parse_address(text.partition("%")[0])
    if address is None:
        return Client(None, UNKNOWN)
    if isinstance(address, IPv6Address):
        return Client(str(address), str(IPv6Network((address, 64), strict=False)))
    return Client(str(address), str(address))


@lru_cache(maxsize=8_192)
def parse_address(text: str) -> Address | None:
    """Return the address that `text` is, with or without port; IPv4 in IPv6 clothes is IPv4. None if it is none."""
    match = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address(match.group(1) or match.group(2) if match else text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address


class ClientAddresses:
    """Finds the client of a request under the configured proxies."""

    def __init__(self, settings: HttpSettings) -> None:
        trusts = settings.forwarded_header != "none"
        self._header = settings.forwarded_header.encode("ascii") if trusts else None
        self._is_forwarded = settings.forwarded_header == "forwarded"
        named = [proxy for proxy in settings.trusted_proxies if proxy != UNIX]
        self._trusts_unix = UNIX in settings.trusted_proxies
        self._networks = tuple(ip_network(proxy, strict=False) for proxy in named)

    def find(self, peer: Any, headers: Mapping[bytes, bytes]) -> Client:
        """Return the client: `peer` is the ASGI scope's `client`, None for a Unix socket."""
        text = peer[0] if peer else ""
        if self._header is None:
            return client_of(text)
        given = headers.get(self._header)
        if given is None or not self._is_trusted(text):
            return client_of(text)
        return client_of(self._walk(text, given.decode("latin-1")))

    def trusts(self, peer: Any) -> bool:
        """Tell whether `peer` is one of the configured proxies, so that what it adds to a request is believed."""
        return self._is_trusted(peer[0] if peer else "")

    def _walk(self, nearest: str, header: str) -> str:
        for hop in self._hops(header):
            address = parse_address(hop)
            if address is None:
                return nearest
            nearest = str(address)
            if not self._contains(address):
                return nearest
        return nearest

    def _hops(self, header: str) -> Iterator[str]:
        """Yield what the proxies wrote, the nearest first; "" for an element that names no address."""
        elements = header.split(",")
        for element in reversed(elements[-MAX_HOPS:]):
            if not self._is_forwarded:
                yield element.strip()
                continue
            match = _FORWARDED_FOR.search(element)
            yield match.group(2) if match else ""

    def _is_trusted(self, text: str) -> bool:
        if not text:
            return self._trusts_unix
        address = parse_address(text.partition("%")[0])
        return address is not None and self._contains(address)

    def _contains(self, address: Address) -> bool:
        return any(address in network for network in self._networks if network.version == address.version)
