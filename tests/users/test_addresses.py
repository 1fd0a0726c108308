"""What is an e-mail address, and what only looks like one."""

import pytest

from portico.mail.addresses import single_address
from portico.users.addresses import find_normal_form, parse_address
from portico.users.errors import EmailMalformed

REFUSED = {
    "nothing": "",
    "only spaces": "   ",
    "no at": "ada.example.com",
    "two at": "ada@example.com@evil.example",
    "quoted local part with an at": '"ada@example.com"@evil.example',
    "quoted local part": '"ada"@example.com',
    "comment": "ada(evil)@example.com",
    "comment in the domain": "ada@(evil)example.com",
    "two addresses by comma": "ada@example.com,eve@evil.example",
    "two addresses by comma and space": "ada@example.com, eve@evil.example",
    "two addresses by semicolon": "ada@example.com;eve@evil.example",
    "two addresses by space": "ada@example.com eve@evil.example",
    "display name": "Ada <ada@example.com>",
    "angle brackets": "<ada@example.com>",
    "source route": "@relay.example:ada@example.com",
    "group": "friends:ada@example.com;",
    "header injection": "ada@example.com\r\nBcc: eve@evil.example",
    "trailing line feed": "ada@example.com\n",
    "tab": "ada\t@example.com",
    "NUL": "ada\x00@example.com",
    "delete": "ada\x7f@example.com",
    "lone surrogate": "ada\ud800@example.com",
    "lone surrogate in the domain": "ada@exa\udfffmple.com",
    "full-width at": "ada\uff20example.com",
    "small at": "ada\ufe6bexample.com",
    "full-width letters": "\uff41da@example.com",
    "full-width full stop": "ada@example\uff0ecom",
    "ideographic full stop": "ada@example\u3002com",
    "half-width full stop": "ada@example\uff61com",
    "ligature": "\ufb01ne@example.com",
    "Kelvin sign": "\u212aim@example.com",
    "Kelvin sign in the domain": "kim@\u212a.example",
    "long s": "\u017fam@example.com",
    "vulgar fraction": "a\u00bd@example.com",
    "superscript": "a\u00b2@example.com",
    "Greek question mark": "a\u037eb@example.com",
    "right-to-left override": "ada\u202e@example.com",
    "right-to-left mark in the domain": "ada@exam\u200fple.com",
    "isolate": "\u2066ada@example.com",
    "zero-width space": "ad\u200ba@example.com",
    "zero-width joiner": "ad\u200da@example.com",
    "soft hyphen": "ad\u00ada@example.com",
    "byte order mark": "\ufeffada@example.com",
    "word joiner in the domain": "ada@exam\u2060ple.com",
    "no-break space": "ada\u00a0@example.com",
    "mixed alphabets": "\u0430dmin@example.com",
    "emoji": "\U0001f600@example.com",
    "leading dot": ".ada@example.com",
    "trailing dot": "ada.@example.com",
    "two dots": "ada..b@example.com",
    "trailing dot of the domain": "ada@example.com.",
    "leading dot of the domain": "ada@.example.com",
    "two dots in the domain": "ada@example..com",
    "one label": "ada@localhost",
    "address literal": "ada@[127.0.0.1]",
    "IPv6 literal": "ada@[IPv6:::1]",
    "bare IP": "ada@127.0.0.1",
    "port": "ada@example.com:25",
    "underscore in the domain": "ada@exam_ple.com",
    "hyphen first": "ada@-example.com",
    "hyphen last": "ada@example-.com",
    "label of 64": f"ada@{'a' * 64}.com",
    "invalid punycode": "ada@xn--a.com",
    "punycode of nothing": "ada@xn--.com",
    "reserved hyphens": "ada@ab--cd.com",
    "invalid IDNA letter": "ada@exa\u2764mple.com",
    "local part of 65": f"{'a' * 65}@example.com",
    "local part of 65 octets": f"{'ä' * 33}@example.com",
    "255 octets": f"a@{'b' * 61}.{'c' * 63}.{'d' * 63}.{'e' * 63}",
    "megabytes": "a" * 1_000_000 + "@example.com",
    "percent encoded at": "ada%40example.com",
}


@pytest.mark.bar("ASVS-1.3.11", "CVE-2022-35924", "GHSA-5jpx-9hw9-2fx4", "CVE-2026-40574", "CVE-2021-3424")
@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_parse_address_refuses(text: str) -> None:
    with pytest.raises(EmailMalformed):
        parse_address(text)


TAKEN = {
    "plain": ("ada@example.com", "ada@example.com"),
    "case": ("Ada.Lovelace@Example.COM", "ada.lovelace@example.com"),
    "spaces around": ("  ada@example.com ", "ada@example.com"),
    "tag": ("ada+news@example.com", "ada+news@example.com"),
    "signs": ("a!#$%&'*+/=?^_`{|}~-b@example.com", "a!#$%&'*+/=?^_`{|}~-b@example.com"),
    "digits": ("1@2.example", "1@2.example"),
    "international domain": ("ada@Exämple.com", "ada@xn--exmple-cua.com"),
    "the same in punycode": ("ada@xn--exmple-cua.com", "ada@xn--exmple-cua.com"),
    "sharp s": ("ada@faß.de", "ada@xn--fa-hia.de"),
    "composed": ("josé@example.com", "josé@example.com"),
    "decomposed": ("jose\u0301@example.com", "josé@example.com"),
    "another alphabet": ("用户@例子.中国", "用户@xn--fsqu00a.xn--fiqs8s"),
    "dotted capital I": ("\u0130x@example.com", "i\u0307x@example.com"),
    "254 octets": (
        f"a@{'b' * 61}.{'c' * 63}.{'d' * 63}.{'e' * 62}",
        f"a@{'b' * 61}.{'c' * 63}.{'d' * 63}.{'e' * 62}",
    ),
}


@pytest.mark.parametrize(("text", "normal_form"), TAKEN.values(), ids=TAKEN.keys())
def test_parse_address_takes(text: str, normal_form: str) -> None:
    address = parse_address(text)

    assert address.normal_form == normal_form
    assert address.typed == parse_address(address.typed).typed


@pytest.mark.parametrize("text", [text for text, _ in TAKEN.values()], ids=TAKEN.keys())
def test_mailer_reads_the_same_address(text: str) -> None:
    deliverable = parse_address(text).deliverable

    assert single_address(deliverable) == deliverable


def test_normal_form_is_stable() -> None:
    for _, normal_form in TAKEN.values():
        assert find_normal_form(normal_form) == normal_form


def test_dotless_i_is_another_address() -> None:
    assert find_normal_form("m\u0131ke@example.com") != find_normal_form("mike@example.com")
