"""Bytes that no client library sends, to a real server: one answer at most that was not asked for, and none that gives.

What a proxy in front and this server could read in two ways is refused and the connection closed, so that nobody can
hide a second request in the first (ASVS 5.0 V4.2.1). Slow clients are another matter.
"""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from portico.testing.live import LiveServer, live_server

HIDDEN = b"GET /api/v1/users/me HTTP/1.1\r\nHost: HOST\r\n\r\n"
POST = b"POST /api/v1/auth/refresh HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n"
GET = b"GET /health HTTP/1.1\r\nHost: HOST\r\n"
STATUS = re.compile(rb"(?:^|(?<=[\r\n}]))HTTP/1\.[01] (\d{3}) ")
PATIENCE_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Case:
    """What is sent, and the statuses that may come back, in order; `closes` if the connection must end."""

    sent: bytes
    statuses: tuple[int, ...]
    closes: bool = True


CASES = {
    "length and chunks": Case(
        POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX" + HIDDEN, (400,)
    ),
    "chunks and length": Case(
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n" + HIDDEN + b"\r\n0\r\n\r\n",
        (400,),
    ),
    "two lengths": Case(POST + b"Content-Length: 2\r\nContent-Length: 100\r\n\r\n{}" + HIDDEN, (400,)),
    "two equal lengths": Case(POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", (400,)),
    "a list of lengths": Case(POST + b"Content-Length: 2, 2\r\n\r\n{}", (400,)),
    "a signed length": Case(POST + b"Content-Length: +2\r\n\r\n{}", (400,)),
    "a negative length": Case(POST + b"Content-Length: -2\r\n\r\n{}", (400,)),
    "a hexadecimal length": Case(POST + b"Content-Length: 0x2\r\n\r\n{}", (400,)),
    "a length with a space": Case(POST + b"Content-Length : 2\r\n\r\n{}", (400,)),
    "an unknown encoding": Case(POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN, (400,)),
    "chunks not at the end": Case(POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", (400,)),
    "chunks twice": Case(
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400,)
    ),
    "a chunk without a size": Case(POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", (400,)),
    "a chunk with a sign": Case(POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n", (400,)),
    "a chunk too long": Case(
        POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n{}\r\n0\r\n\r\n", (400,)
    ),
    "a folded header": Case(GET + b"X-Long: a\r\n b\r\n\r\n", (400,)),
    "a header without a colon": Case(GET + b"nonsense\r\n\r\n", (400,)),
    "a header with a NUL": Case(GET + b"X-A: a\x00b\r\n\r\n", (400,)),
    "a name with a NUL": Case(GET + b"X\x00A: b\r\n\r\n", (400,)),
    "a name with brackets": Case(GET + b"X(A): b\r\n\r\n", (400,)),
    "a bare CR": Case(GET + b"X-A: a\rX-B: b\r\n\r\n", (400,)),
    "a request with bare LF": Case(b"GET /health HTTP/1.1\nHost: HOST\n\n", (400,)),
    "a header with bare LF": Case(b"GET /health HTTP/1.1\r\nHost: HOST\nX-A: b\r\n\r\n", (400,)),
    "no host": Case(b"GET /api/v1/users/me HTTP/1.1\r\n\r\n", (400,), closes=False),
    "two hosts": Case(
        b"GET /api/v1/users/me HTTP/1.1\r\nHost: HOST\r\nHost: evil.example\r\n\r\n", (400,), closes=False
    ),
    "another host": Case(
        b"GET /api/v1/users/me HTTP/1.1\r\nHost: evil.example\r\n\r\n", (400,), closes=False
    ),
    "a host with a path": Case(
        b"GET /api/v1/users/me HTTP/1.1\r\nHost: HOST/x\r\n\r\n", (400,), closes=False
    ),
    "an address that names another host": Case(
        b"GET http://evil.example/api/v1/users/me HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        (400,),
        closes=False,
    ),
    "a tunnel": Case(b"CONNECT evil.example:443 HTTP/1.1\r\nHost: HOST\r\n\r\n", (400, 405), closes=False),
    "an echo": Case(
        b"TRACE /health HTTP/1.1\r\nHost: HOST\r\nCookie: secret=1\r\n\r\n", (400, 405), closes=False
    ),
    "no version": Case(b"GET /api/v1/users/me\r\n\r\n", (400,)),
    "an unknown version": Case(b"GET /health HTTP/9.9\r\nHost: HOST\r\n\r\n", (400, 505)),
    "another protocol": Case(b"GET /health HTCPCP/1.0\r\nHost: HOST\r\n\r\n", (400,)),
    "HTTP/2": Case(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)),
    "TLS": Case(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), (400,)),
    "nothing but NULs": Case(bytes(4_096), (400,)),
    "a space in the address": Case(b"GET /hea lth HTTP/1.1\r\nHost: HOST\r\n\r\n", (400,)),
    "raw bytes in the address": Case(
        b"GET /\xff\xfe HTTP/1.1\r\nHost: HOST\r\n\r\n", (400, 404), closes=False
    ),
    "a small letter verb": Case(b"get /health HTTP/1.1\r\nHost: HOST\r\n\r\n", (400, 405), closes=False),
    "a header of 64 kB": Case(GET + b"X-Large: " + b"a" * 64_000 + b"\r\n\r\n", (400, 431)),
    "a header of 2 MB": Case(GET + b"X-Large: " + b"a" * 2_000_000 + b"\r\n\r\n", (400, 431)),
    "2,000 headers": Case(GET + b"X-Many: 1\r\n" * 2_000 + b"\r\n", (400, 431)),
    "an address of 2 MB": Case(b"GET /" + b"a" * 2_000_000 + b" HTTP/1.1\r\nHost: HOST\r\n\r\n", (400, 414)),
    "30 MB announced": Case(POST + b"Content-Length: 30000000\r\n\r\n{", (413,)),
    "30 MB announced, asking first": Case(
        POST + b"Content-Length: 30000000\r\nExpect: 100-continue\r\n\r\n", (413,)
    ),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("raw"), {"PORTICO_RATE_LIMIT__ENABLED": "false"}) as server:
        yield server


def exchanged(server: LiveServer, sent: bytes) -> tuple[bytes, bool]:
    """Send bytes on a connection of their own; return what came back, and whether the server closed it."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    came = b""
    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as connection:
        with suppress(OSError):  # refused before all of it was sent
            connection.sendall(sent.replace(b"HOST", f"localhost:{port}".encode()))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                piece = connection.recv(65_536)
            except TimeoutError:
                return came, False
            except ConnectionResetError:
                return came, True
            if not piece:
                return came, True
            came += piece
            connection.settimeout(0.3)
    return came, False


@pytest.mark.bar("ASVS-4.2.1", "ASVS-4.2.2", "ASVS-4.2.4", "CVE-2026-48710", "P26", "CHECK-20", "ASVS-4.1.4")
def test_what_is_no_plain_request_is_refused_once(server: LiveServer) -> None:
    wrong: list[str] = []
    for name, case in CASES.items():
        came, closed = exchanged(server, case.sent)
        statuses = [int(status) for status in STATUS.findall(came)]
        if len(statuses) > 1 or not set(statuses) <= set(case.statuses) or not (statuses or closed):
            wrong.append(f"{name}: {statuses}, {'closed' if closed else 'open'}: {came[:100]!r}")
        if case.closes and not closed:
            wrong.append(f"{name}: {statuses}, and the connection stays open")
        if b"Traceback" in came or b"secret=1" in came:
            wrong.append(f"{name}: {came!r}")
    came, _ = exchanged(server, GET + b"Connection: close\r\n\r\n")

    assert not wrong, "\n".join(["", *wrong])
    assert STATUS.findall(came) == [b"200"]
    assert "Traceback" not in server.output
