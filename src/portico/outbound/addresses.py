"""Which addresses are public. Everything that a registry sets aside is not, also inside an IPv6 address.

Written out here and not left to `ipaddress.is_global`, whose answer differs between releases of Python; both must
agree before an address is called public. Sources: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890),
RFC 6052 and RFC 8215 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo).
"""

import ipaddress
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

SPECIAL_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' own networks, and some clouds' metadata
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
UNICAST_V6 = IPv6Network("2000::/3")
"""What is handed out at all; loopback, mapped, unique local, link-local and multicast lie outside."""
SPECIAL_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocols' own, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries an IPv4 address past a check of names
        "2620:4f:8000::/48",
        "3fff::/20",  # documentation
    )
)
MAPPED = IPv6Network("::ffff:0:0/96")
NAT64 = IPv6Network("64:ff9b::/96")


def read_address(text: str) -> Address:
    """Return an address as the resolver writes it, an IPv4 address in IPv6 clothes as what it is.

    Raises:
        ValueError: it is none, or is bound to an interface (`fe80::1%eth0`).
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, IPv4Address):
        return address
    if address.scope_id is not None:
        raise ValueError("an address of one interface")
    # A translator in front of us (RFC 6146) turns 64:ff9b::a.b.c.d into a.b.c.d: that is where the packet goes.
    if address in MAPPED or address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def is_public(address: Address) -> bool:
    """Tell whether the address is handed out to somebody on the public Internet."""
    if isinstance(address, IPv4Address):
        special = any(address in network for network in SPECIAL_V4)
    else:
        special = address not in UNICAST_V6 or any(address in network for network in SPECIAL_V6)
    return not special and address.is_global


def is_allowed(address: Address, extra: Iterable[Network], *, loopback: bool = False) -> bool:
    """Tell whether we may connect: the address is public, or in a network that the operator named."""
    if is_public(address) or (loopback and address.is_loopback):
        return True
    return any(address in network for network in extra)
