"""No way to make us send a browser elsewhere."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given, strategies as st

from portico.web.redirects import HOME, safe_next

HERE = "https://id.example"

EVIL = [
    "https://evil.example",
    "http://evil.example/account",
    "HTTPS://evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "/\\/evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/account\\..\\..\\evil",
    "//id.example@evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "/%2fevil.example",
    "/%2Fevil.example",
    "/%252fevil.example",
    "/%5cevil.example",
    "/%5Cevil.example",
    "/%255cevil.example",
    "/%09/evil.example",
    "/%0d%0aSet-Cookie:a=b",
    "/\r\nSet-Cookie: a=b",
    "/account\r\nLocation: https://evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "\x00//evil.example",
    "/%00//evil.example",
    "/..//evil.example",
    "/../evil",
    "/account/../../evil",
    "/account/..;/evil",
    "/..;/evil",
    "/%2e%2e/evil",
    "/%252e%252e/evil",
    "/.;//evil.example",
    "/./account",
    "//evil。example",
    "/／evil.example",
    "／／evil.example",
    "/。。/evil",
    "//evil%E3%80%82example",
    "/%E2%80%AE/evil",
    "//[::1]/",
    "//2130706433/",
    "?next=//evil.example",
    "#fragment",
    "account",
    "evil.example/account",
    "",
    "/" + "a" * 2001,
    '/"><script>alert(1)</script>',
    "/account#//evil.example",
    "/{{7*7}}",
]

GOOD = [
    "/",
    "/account",
    "/account/devices?page=2",
    "/oauth/authorize?client_id=shop&redirect_uri=https%3A%2F%2Fshop.example%2Fback&scope=openid%20email",
    "/oauth/authorize?redirect_uri=https://shop.example/back",
    "/device?user_code=BDWP-HQPK",
    "/a/b/c;v=1/d",
]


@pytest.mark.bar("ASVS-3.7.2", "R2", "CVE-2022-3782", "CVE-2026-3872")
@pytest.mark.parametrize("target", EVIL)
def test_next_elsewhere_leads_home(target: str) -> None:
    assert safe_next(target) == HOME


@pytest.mark.parametrize("target", GOOD)
def test_next_on_this_server_is_kept(target: str) -> None:
    assert safe_next(target) == target


def test_no_next_leads_to_the_default() -> None:
    assert safe_next(None, "/login") == "/login"


@pytest.mark.bar("ASVS-3.7.2")
@given(st.one_of(st.text(max_size=60), st.text(alphabet="/\\.%25fFcC;:@?#[]ehtps \t\r\n\0", max_size=40)))
def test_whatever_is_asked_the_browser_stays_here(target: str) -> None:
    """WHATWG URL parsing drops tabs and newlines and reads a backslash as a slash; so does this test."""
    chosen = safe_next(target)
    seen = chosen.translate(str.maketrans("\\", "/", "\t\r\n")).strip()

    assert urlsplit(urljoin(HERE, seen)).netloc == "id.example"
    assert seen == chosen
