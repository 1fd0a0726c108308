"""What counts as public, whichever clothes the address wears."""

import ipaddress

import pytest

from portico.outbound.addresses import is_allowed, is_public, read_address

INSIDE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1",
    "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:db8::1",
    "2001:10::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fdff::1",
    "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1", "4000::1",
]  # fmt: skip
OUTSIDE = [
    "1.1.1.1", "8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "198.20.0.1",
    "2606:4700::1111", "2a00:1450::1", "2400:cb00::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
]  # fmt: skip


@pytest.mark.bar("ASVS-1.3.6", "CVE-2024-49753")
@pytest.mark.parametrize("text", INSIDE)
def test_special_use_address_is_not_public(text: str) -> None:
    assert not is_public(read_address(text))


@pytest.mark.parametrize("text", OUTSIDE)
def test_address_of_the_internet_is_public(text: str) -> None:
    assert is_public(read_address(text))


@pytest.mark.parametrize(
    "text", ["fe80::1%eth0", "127.1", "0x7f000001", "2130706433", "010.0.0.1", "", "example"]
)
def test_other_spelling_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_address(text)


def test_operators_networks_open_only_themselves() -> None:
    extra = [ipaddress.ip_network("10.20.0.0/16")]

    assert is_allowed(read_address("10.20.3.4"), extra)
    assert is_allowed(read_address("::ffff:10.20.3.4"), extra)
    assert not is_allowed(read_address("10.21.0.1"), extra)
    assert not is_allowed(read_address("127.0.0.1"), extra)


def test_loopback_opens_loopback_only() -> None:
    assert is_allowed(read_address("127.0.0.1"), (), loopback=True)
    assert is_allowed(read_address("::1"), (), loopback=True)
    assert not is_allowed(read_address("10.0.0.1"), (), loopback=True)
    assert not is_allowed(read_address("169.254.169.254"), (), loopback=True)
    assert not is_allowed(read_address("0.0.0.0"), (), loopback=True)
