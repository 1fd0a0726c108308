"""URLs are read once and strictly; what is odd is refused before anything is looked up."""

import pytest

from portico.outbound import Target, UrlRefused

REFUSED = [
    "", "example.com", "//example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/",
    "javascript:alert(1)", "http://", "http:///path", "https://:443/",
    "https://user@example.com/", "https://user:pw@example.com/", "https://example.com@127.0.0.1/", "https://@example.com/",
    "https://example.com/#@127.0.0.1/", "https://example.com/path#", "https://example.com\\@127.0.0.1/",
    "https://exa mple.com/", " https://example.com/", "https://example.com/\r\nX: y", "https://exam\tple.com/",
    "https://example.com/\x00", "https://%31%32%37.0.0.1/", "https://example..com/", "https://.example.com/",
    "https://example.com../", "https://-example.com/", "https://example.com:0/", "https://example.com:22/",
    "https://example.com:25/", "https://example.com:6379/", "https://example.com:99999/", "https://example.com:-1/",
    "https://example.com:٤٤٣/", "https://example.com:8080x/",
    "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.1/", "http://127.0.1/",
    "http://017700000001/", "http://127.0.0.0x1/", "http://0/", "http://00000000.0/", "http://127.0.0.1.5/", "http://0x/",
    "http://１２７.1/", "http://①②⑦.1/", "http://1.1.1.01/", "http://256.1.1.1/",
    "http://[::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[127.0.0.1]/", "http://[::1/", "http://::1/",
    "http://[v1.x]/", "http://[]/", "https://" + "a" * 64 + ".com/", "https://example.com/" + "a" * 2_000,
]  # fmt: skip


@pytest.mark.bar("ASVS-1.3.6", "CHECK-16", "CVE-2024-49753")
@pytest.mark.parametrize("url", REFUSED)
def test_odd_url_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        Target.of(url)


@pytest.mark.parametrize(
    ("url", "host", "authority", "path"),
    [
        ("https://example.com", "example.com", "example.com", "/"),
        ("https://Example.COM/Path?q=1&r=%20", "example.com", "example.com", "/Path?q=1&r=%20"),
        ("https://example.com.:8443/a", "example.com", "example.com:8443", "/a"),
        ("http://example.com:80/", "example.com", "example.com", "/"),
        ("https://bücher.example/ä", "xn--bcher-kva.example", "xn--bcher-kva.example", "/%C3%A4"),
        ("https://a_b.example/", "a_b.example", "a_b.example", "/"),
        ("http://8.8.8.8:8080/", "8.8.8.8", "8.8.8.8:8080", "/"),
        ("http://[2606:4700::1111]/x", "2606:4700::1111", "[2606:4700::1111]", "/x"),
        ("http://１２７.0.0.1/", "127.0.0.1", "127.0.0.1", "/"),
    ],
)
def test_usual_url_is_taken_apart(url: str, host: str, authority: str, path: str) -> None:
    target = Target.of(url)

    assert (host, authority, path) == (target.host, target.authority, target.path)
