"""What may be registered as a redirect URI, and what matches it: a corpus of lies (OAuth 2.1, sections 2.3, 4.1.3)."""

import string

import pytest
from hypothesis import given, strategies as st

from portico.oauth.protocol.redirect_uris import (
    check_redirect_uris,
    fault_of,
    host_shown,
    is_claimed,
    is_loopback,
    is_registered,
    matches,
)
from portico.oauth.protocol.refusals import ErrorCode, Refused

SCHEMES = frozenset({"cursor", "vscode", "claude"})

GOOD = [
    "https://app.example/cb", "https://app.example", "https://app.example:8443/cb?tenant=1&x=%20", "https://1.2.3.4/cb",
    "https://[2001:db8::1]/cb", "https://xn--bcher-kva.example/cb", "https://claude.ai/api/mcp/auth_callback",
    "https://chatgpt.com/connector/oauth/abc-123", "https://vscode.dev/redirect", "https://localhost:3000/cb",
    "http://localhost/callback", "http://localhost:3000/cb", "http://127.0.0.1:33418/", "http://127.0.0.1:33418",
    "http://[::1]:6276/oauth/callback", "http://LOCALHOST/cb",
    "com.example.app:/cb", "com.example.app://oauth/cb", "com.googleusercontent.apps.123-abc:/oauth2redirect",
    "cursor://anysphere.cursor-mcp/oauth/callback", "vscode://vscode.github-authentication/did-authenticate",
]  # fmt: skip

BAD = [
    "", " ", "cb", "/cb", "//app.example/cb", "app.example/cb", "https:", "https:/app.example/cb", "https://", "https:///cb",
    "https:app.example/cb", "https://:443/cb", "https://app.example:0/cb", "https://app.example:65536/", "https://app.example:x/",
    "https://app.example:/cb", "https://app.example/cb#", "https://app.example/cb#frag", "com.example.app:/cb#x",
    "http://app.example/cb", "http://10.0.0.1/cb", "http://127.0.0.2/cb", "http://127.1/cb", "http://2130706433/cb",
    "http://0x7f.0.0.1/cb", "http://localhost.evil.example/cb", "http://localhost@evil.example/cb", "http://127.0.0.1.nip.io/",
    "http://[::1].evil.example/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/cb", "http://localhost\\@evil.example/",
    "https://user@app.example/cb", "https://user:pw@app.example/cb", "https://app.example@evil.example/",
    "https://app.example\\@evil.example/", "https://app.example\\.evil.example/", "https://evil.example%00.app.example/",
    "https://app.example/c b", "https://app.example/cb\r\nX: y", "https://app.example/\tcb", "https://app.example/cb\x00",
    "https://app.example/%", "https://app.example/%zz", "https://app.example/%0", 'https://app.example/"', "https://app.example/<x>",
    "https://app.example/{x}", "https://app.example/^", "https://app.example/|", "https://app.example/`",
    "https://bücher.example/cb", "https://app.example/ä", "https://app\u3002example/", "https://app.example\u2044.evil/",
    "https://*.example/cb", "https://app.example/*", "https://app.example/cb?*", "https://app..example/", "https://.app.example/",
    "https://app.example./cb", "https://-app.example/", "https://app.example-/", "https://[::1/cb", "https://::1/cb", "https://[v1.x]/",
    "https://256.1.1.1/", "https://1.2.3/", "https://a" + "b" * 2_000 + ".example/",
    "javascript:alert(1)", "javascript://app.example/%0aalert(1)", "JaVaScRiPt://x/", "data:text/html,x", "data://x/", "file:///etc/passwd",
    "blob:https://app.example/1", "blob://x/", "vbscript://x/", "about:blank", "about://x/", "view-source:https://x/", "ws://app.example/",
    "wss://app.example/", "ftp://app.example/", "mailto:a@b.example", "tel:+1", "intent://x/", "filesystem:https://x/",
    "urn:ietf:wg:oauth:2.0:oob", "urn:ietf:wg:oauth:2.0:oob:auto", "urn://a.b/", "myapp://cb", "myapp:/cb",
    "com.example.app:cb", "com.example.app:", "com..example:/cb", ".com.example:/cb", "com.example.:/cb",
    "com.example.app://user@evil/cb",
    "cursor:cb", "cursor2://x/cb", "cursor.://x/", " https://app.example/cb", "https://app.example/cb ", "\nhttps://app.example/cb",
    "https://app.example/cb\n", "ht\ttps://app.example/", "https//app.example", "https;//app.example",
]  # fmt: skip


@pytest.mark.bar("A1-1.1", "A7-7.6")
@pytest.mark.parametrize("uri", GOOD)
def test_usual_redirect_uri_registers(uri: str) -> None:
    assert fault_of(uri, custom_schemes=SCHEMES) is None


@pytest.mark.bar("A1-1.1", "A1-1.24", "A7-7.6", "CHECK-6", "ASVS-1.2.2", "CVE-2026-29192", "CVE-2026-7504")
@pytest.mark.parametrize("uri", BAD)
def test_odd_redirect_uri_is_refused(uri: str) -> None:
    assert fault_of(uri, custom_schemes=SCHEMES) is not None


@pytest.mark.bar("A7-7.6", "CVE-2026-29192")
@pytest.mark.parametrize("scheme", ["javascript", "data", "file", "blob", "vbscript", "about"])
def test_no_setting_allows_a_scheme_that_runs_code(scheme: str) -> None:
    assert fault_of(f"{scheme}://x/cb", custom_schemes={scheme}) is not None


@pytest.mark.bar("A7-7.6")
def test_mixed_list_of_a_real_client_registers() -> None:
    """One body of an editor names its own scheme, a web page and loopback."""
    uris = [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback",
    ]

    check_redirect_uris(uris, custom_schemes=SCHEMES)


@pytest.mark.bar("ASVS-2.2.3")
def test_scheme_of_a_device_is_refused_for_a_client_on_a_server() -> None:
    with pytest.raises(Refused) as refused:
        check_redirect_uris(["https://app.example/cb", "com.example.app:/cb"], is_web=True)

    assert refused.value.error is ErrorCode.INVALID_REDIRECT_URI
    assert "number 2" in refused.value.description


def test_list_and_length_are_bounded() -> None:
    assert fault_of("https://app.example/" + "a" * 1_980) is None
    assert fault_of("https://app.example/" + "a" * 1_981) is not None
    check_redirect_uris([f"https://app.example/{each}" for each in range(20)])
    with pytest.raises(Refused):
        check_redirect_uris([f"https://app.example/{each}" for each in range(21)])


LOOPBACK = "http://127.0.0.1:4000/callback?x=1"


@pytest.mark.bar("A1-1.2", "A30-30.9", "R1")
@pytest.mark.parametrize(
    ("registered", "asked"),
    [
        ("http://localhost/callback", "http://localhost:53124/callback"),
        ("http://localhost:3000/callback", "http://localhost:53124/callback"),
        ("http://localhost:3000/callback", "http://localhost/callback"),
        ("http://127.0.0.1:33418/", "http://127.0.0.1:1/"),
        ("http://127.0.0.1", "http://127.0.0.1:65535"),
        ("http://[::1]/cb", "http://[::1]:6276/cb"),
        (LOOPBACK, "http://127.0.0.1:5/callback?x=1"),
    ],
)
def test_port_of_loopback_may_differ(registered: str, asked: str) -> None:
    assert matches(registered, asked)


@pytest.mark.bar(
    "A1-1.1",
    "A1-1.2",
    "CHECK-6",
    "ASVS-10.4.1",
    "CVE-2024-52289",
    "CVE-2026-3872",
    "CVE-2022-3782",
    "CVE-2026-28512",
)
@pytest.mark.parametrize(
    ("registered", "asked"),
    [
        ("https://app.example/cb", "https://app.example/cb/"),
        ("https://app.example/cb", "https://app.example/cb?x=1"),
        ("https://app.example/cb", "https://app.example/cb#"),
        ("https://app.example/cb", "https://app.example/cb/../cb"),
        ("https://app.example/cb", "https://app.example/cb/..;/evil"),
        ("https://app.example/cb", "https://app.example/c%62"),
        ("https://app.example/cb", "https://app.example/%2563b"),
        ("https://app.example/cb", "https://app.example:443/cb"),
        ("https://app.example/cb", "https://app.example:8443/cb"),
        ("https://app.example/cb", "https://APP.example/cb"),
        ("https://app.example/cb", "HTTPS://app.example/cb"),
        ("https://app.example/cb", "http://app.example/cb"),
        ("https://app.example/cb", "https://app.example.evil.example/cb"),
        ("https://app.example/cb", "https://app-example/cb"),
        ("https://app.example/cb", "https://appxexample/cb"),
        ("https://app.example/cb", "https://app.example@evil.example/cb"),
        ("https://app.example/cb", "https://evil.example/cb"),
        ("https://app.example/cb", "https://app.example/CB"),
        ("https://app.example/cb", "https://app.example/cb\n"),
        ("https://app.example/cb", " https://app.example/cb"),
        ("https://app.example", "https://app.example/"),
        ("https://app.example", "https://app.example.evil.example"),
        ("https://app.example", "https://app.example@evil.example"),
        ("https://localhost:3000/cb", "https://localhost:3001/cb"),
        ("http://localhost/cb", "http://127.0.0.1/cb"),
        ("http://127.0.0.1/cb", "http://localhost/cb"),
        ("http://127.0.0.1/cb", "http://[::1]/cb"),
        ("http://localhost/cb", "https://localhost/cb"),
        ("http://localhost/cb", "http://localhost:1/cb2"),
        ("http://localhost/cb", "http://localhost:1/cb/"),
        ("http://localhost/cb", "http://localhost:1/cb?x"),
        ("http://localhost/cb", "http://localhost:1/cb#x"),
        ("http://localhost/cb", "http://localhost:0/cb"),
        ("http://localhost/cb", "http://localhost:65536/cb"),
        ("http://localhost/cb", "http://localhost:/cb"),
        ("http://localhost/cb", "http://localhost:99999999999/cb"),
        ("http://localhost/cb", "http://localhost:1@evil.example/cb"),
        ("http://localhost/cb", "http://localhost:1\\@evil.example/cb"),
        ("http://localhost/cb", "http://localhost.evil.example:1/cb"),
        ("http://localhost/cb", "http://localhost:1:2/cb"),
        ("http://localhost/cb", "http://localhost:١/cb"),
        ("HTTP://localhost/cb", "HTTP://localhost/evil"),
        ("http://LOCALHOST/cb", "http://LOCALHOST/evil"),
        ("cursor://host:1/cb", "cursor://host:2/cb"),
        ("com.example.app:/cb", "com.example.app:/cb2"),
        ("com.example.app:/cb", "com.example.app://cb"),
    ],
)  # fmt: skip
def test_anything_else_that_differs_is_another_uri(registered: str, asked: str) -> None:
    assert not matches(registered, asked)


@pytest.mark.bar("CVE-2024-52289")
def test_client_without_redirect_uris_matches_none() -> None:
    assert not is_registered("https://app.example/cb", [])


@pytest.mark.bar("A1-1.1", "CHECK-6")
@given(st.text(alphabet=string.printable + "äé\u2028\uff0f", max_size=40), st.sampled_from(GOOD))
def test_only_the_port_of_loopback_is_ever_overlooked(noise: str, registered: str) -> None:
    """Whatever is written after a registered URI, or in the middle of one, makes it another."""
    half = len(registered) // 2
    for asked in (registered + noise, registered[:half] + noise + registered[half:], noise):
        if matches(registered, asked):
            assert asked == registered or is_loopback(registered)
            assert [c for c in asked if not c.isdigit() and c != ":"] == [
                c for c in registered if not c.isdigit() and c != ":"
            ]


@pytest.mark.bar("A8-8.7", "A30-30.9")
@pytest.mark.parametrize(
    ("uri", "shown", "claimed", "loopback"),
    [
        ("https://Claude.ai/api/mcp/auth_callback", "claude.ai", True, False),
        ("https://xn--pple-43d.com/cb", "xn--pple-43d.com", True, False),
        ("http://localhost:3000/cb", "localhost", False, True),
        ("http://[::1]:3000/cb", "[::1]", False, True),
        ("https://localhost:3000/cb", "localhost", False, False),
        ("cursor://anysphere.cursor-mcp/cb", "cursor:", False, False),
        ("com.example.app:/cb", "com.example.app:", False, False),
    ],
)
def test_what_a_person_is_shown(uri: str, shown: str, claimed: bool, loopback: bool) -> None:
    assert (shown, claimed, loopback) == (host_shown(uri), is_claimed(uri), is_loopback(uri))
