"""Whose address counts, whatever anybody writes into a header."""

import pytest

from portico.core.settings import HttpSettings
from portico.http.edge.addresses import ClientAddresses, client_of

PROXY = ("10.0.0.1", 1234)
STRANGER = ("203.0.113.9", 1234)

XFF = HttpSettings(trusted_proxies=("10.0.0.0/8", "fd00::/8"), forwarded_header="x-forwarded-for")
FORWARDED = HttpSettings(trusted_proxies=("10.0.0.0/8",), forwarded_header="forwarded")

CHAINS = [
    ("198.51.100.4", "198.51.100.4"),
    ("1.1.1.1, 198.51.100.4", "198.51.100.4"),
    ("1.1.1.1, 198.51.100.4, 10.2.2.2", "198.51.100.4"),
    ("10.2.2.2, 10.3.3.3", "10.2.2.2"),
    ("198.51.100.4:5123", "198.51.100.4"),
    ("[2001:db8::5]:443", "2001:db8::5"),
    ("2001:db8::5", "2001:db8::5"),
    ("::ffff:198.51.100.4", "198.51.100.4"),
    ("fd00::7, 198.51.100.4 , fd00::1", "198.51.100.4"),
]
GARBAGE = [
    "", " ", ",", ",,,", "unknown", "_hidden", "localhost", "198.51.100.4\x00", "198.51.100", "1.2.3.4.5", "01.2.3.4",
    "0x7f.1", "2130706433", "fe80::1%eth0", "%31.1.1.1", "198.51.100.4;DROP", "[2001:db8::5", "198.51.100.4 x",
    "\xff\xfe", "9" * 4000, "http://198.51.100.4/", "198.51.100.4:port", "::ffff:999.1.1.1", "1.1.1.1, garbage",
]  # fmt: skip


@pytest.mark.parametrize(("header", "expected"), CHAINS)
@pytest.mark.bar("CHECK-13", "ASVS-15.3.4")
def test_address_is_the_first_from_the_right_that_is_no_proxy(header: str, expected: str) -> None:
    found = ClientAddresses(XFF).find(PROXY, {b"x-forwarded-for": header.encode("latin-1")})

    assert found.text == expected


@pytest.mark.parametrize("header", GARBAGE)
@pytest.mark.bar("CVE-2024-47070", "CHECK-13")
def test_garbage_from_a_proxy_counts_as_the_proxy(header: str) -> None:
    found = ClientAddresses(XFF).find(PROXY, {b"x-forwarded-for": header.encode("latin-1")})

    assert found.text == "10.0.0.1"


@pytest.mark.parametrize(
    "name",
    [
        "x-forwarded-for", "x_forwarded_for", "forwarded", "x-real-ip", "x-client-ip", "true-client-ip",
        "cf-connecting-ip", "x-cluster-client-ip", "x-forwarded", "forwarded-for", "via", "client-ip",
    ],
)  # fmt: skip
@pytest.mark.bar("ASVS-4.1.3", "CHECK-13", "CVE-2025-64484")
def test_header_of_a_stranger_is_not_believed(name: str) -> None:
    headers = {name.encode(): b"1.2.3.4"}

    assert ClientAddresses(XFF).find(STRANGER, headers).text == "203.0.113.9"
    assert ClientAddresses(HttpSettings()).find(PROXY, headers).text == "10.0.0.1"


@pytest.mark.bar("ASVS-4.1.3", "CVE-2025-64484")
@pytest.mark.parametrize("name", ["x_forwarded_for", "x-real-ip", "forwarded", "x-forwarded-host"])
def test_only_the_configured_header_is_read(name: str) -> None:
    assert ClientAddresses(XFF).find(PROXY, {name.encode(): b"1.2.3.4"}).text == "10.0.0.1"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("for=198.51.100.4", "198.51.100.4"),
        ('for="[2001:db8::5]:4711";proto=https;by=10.0.0.9', "2001:db8::5"),
        ("proto=https; For=198.51.100.4", "198.51.100.4"),
        ("for=1.1.1.1, for=198.51.100.4;host=x, for=10.9.9.9", "198.51.100.4"),
        ("for=unknown", "10.0.0.1"),
        ("for=_secret", "10.0.0.1"),
        ("by=198.51.100.4", "10.0.0.1"),
        ("xfor=198.51.100.4", "10.0.0.1"),
        ('for="198.51.100.4', "10.0.0.1"),
    ],
)
@pytest.mark.bar("CHECK-13")
def test_forwarded_is_read_as_rfc_7239_says(header: str, expected: str) -> None:
    found = ClientAddresses(FORWARDED).find(PROXY, {b"forwarded": header.encode()})

    assert found.text == expected


@pytest.mark.bar("CVE-2026-45364", "CHECK-13")
def test_addresses_of_one_ipv6_subscriber_share_a_key() -> None:
    keys = {client_of(f"2001:db8:1:2:{suffix:x}::{suffix:x}").key for suffix in range(1, 2**16, 97)}

    assert keys == {"2001:db8:1:2::/64"}
    assert client_of("2001:db8:1:3::1").key != "2001:db8:1:2::/64"


@pytest.mark.parametrize("text", ["::ffff:192.0.2.1", "::FFFF:c000:0201", "192.0.2.1"])
def test_ipv4_in_ipv6_clothes_is_ipv4(text: str) -> None:
    assert client_of(text).key == "192.0.2.1"


def test_peer_that_is_no_address_has_no_text_and_one_key() -> None:
    assert client_of("testclient") == (None, "unknown")
    assert ClientAddresses(HttpSettings()).find(None, {}) == (None, "unknown")


def test_unix_socket_is_trusted_only_by_name() -> None:
    headers = {b"x-forwarded-for": b"198.51.100.4"}
    trusting = HttpSettings(trusted_proxies=("unix",), forwarded_header="x-forwarded-for")

    assert ClientAddresses(trusting).find(None, headers).text == "198.51.100.4"
    assert ClientAddresses(XFF).find(None, headers).text is None


def test_endless_chain_is_cut() -> None:
    header = ", ".join(["10.0.0.2"] * 5_000).encode()

    assert ClientAddresses(XFF).find(PROXY, {b"x-forwarded-for": header}).text == "10.0.0.2"
