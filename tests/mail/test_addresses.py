"""An address that mail goes to is one address, whoever reads it."""

import pytest

from portico.mail.addresses import single_address
from portico.mail.errors import AddressRefused

INJECTIONS = [
    "ada@example.com\r\nBcc: eve@evil.example",
    "ada@example.com\nRCPT TO:<eve@evil.example>",
    "ada@example.com\r\n.\r\nMAIL FROM:<x@y.example>",
    "ada@example.com\x00",
    "ada@example.com\x0b",
    "ada@example.com\u2028eve@evil.example",
    "ada@example.com\u202e",
    "ada@example.com\ud800",
    "ada@example.com,eve@evil.example",
    "ada@example.com;eve@evil.example",
    "ada@example.com eve@evil.example",
    "eve@evil.example>,<ada@example.com",
    '"eve@evil.example"@example.com',
    '"eve@evil.example> "@example.com',
    '"ada"@example.com',
    '"a@b"@c',
    "(comment)ada@example.com",
    "ada@example.com(comment)",
    "Ada <ada@example.com>",
    "<ada@example.com>",
    "@relay.example:ada@example.com",
    "ada@evil.example@example.com",
    "ada%evil.example@",
    "@example.com",
    "ada",
    "",
    "ada@",
    "ada@[127.0.0.1]",
    "ada@example..com",
    "ada@-example.com",
    "ada@example.com.",
    "ada@exam_ple.com",
    ".ada@example.com",
    "ada.@example.com",
    "a..da@example.com",
    "ada\t@example.com",
    "ada\\@example.com",
    "a" * 65 + "@example.com",
    "ada@" + "a" * 64 + ".com",
    "ada@" + "a." * 150 + "com",
]


@pytest.mark.bar("ASVS-1.3.11", "CVE-2022-35924", "GHSA-5jpx-9hw9-2fx4")
@pytest.mark.parametrize("text", INJECTIONS, ids=ascii)
def test_anything_but_one_plain_address_is_refused(text: str) -> None:
    with pytest.raises(AddressRefused):
        single_address(text)


@pytest.mark.parametrize(
    ("text", "deliverable"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Ada.Lovelace+tag@Example.com", "Ada.Lovelace+tag@Example.com"),
        ("o'brien@example.com", "o'brien@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("jürgen@bücher.example", "jürgen@xn--bcher-kva.example"),
        ("ada@localhost", "ada@localhost"),
    ],
)
def test_plain_address_is_taken_with_its_domain_in_ascii(text: str, deliverable: str) -> None:
    assert single_address(text) == deliverable
