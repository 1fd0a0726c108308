"""The edge behind the real server: what arrives as bytes."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn

from portico.http.server import server_options
from portico.runtime import Runtime
from tests.http.shop import shop_app

OPEN = b"/api/v1/shop/open"
ODD = [
    b"GET %s HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n" % OPEN,
    b"GET %s HTTP/1.1\r\nHost: a b\r\n\r\n" % OPEN,
    b"GET %s HTTP/1.1\r\n\r\n" % OPEN,
    b"GET %s HTTP/1.1\r\nHost: localhost:8000\r\nHost: evil\r\n\r\n" % OPEN,
    b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost:8000\r\n\r\n",
    b"GET /%%ff%%fe%%00 HTTP/1.1\r\nHost: localhost:8000\r\n\r\n",
    b"GET %s?q=\xff HTTP/1.1\r\nHost: localhost:8000\r\n\r\n" % OPEN,
    b"GET http://evil.test/api HTTP/1.1\r\nHost: evil.test\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost:8000\r\n\r\n",
    b"GET %s HTTP/1.1\r\nHost: localhost:8000\r\nX-A: \xe9\xff\r\nAuthorization: \xff\r\nCookie: \xff=\xfe\r\n\r\n"
    % OPEN,
    b"POST %s HTTP/1.1\r\nHost: localhost:8000\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello" % OPEN,
    b"POST %s HTTP/1.1\r\nHost: localhost:8000\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    % OPEN,
    b"POST %s HTTP/1.1\r\nHost: localhost:8000\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n" % OPEN,
    b"GET  HTTP/1.1\r\nHost: localhost:8000\r\n\r\n",
    b"\x00\x01\x02\r\n\r\n",
    b"get %s HTTP/1.1\r\nHost: localhost:8000\r\n\r\n" % OPEN,
]


@pytest.fixture
async def port(runtime: Runtime) -> AsyncIterator[int]:
    app, _ = shop_app(runtime)
    listener = socket.create_server(("127.0.0.1", 0))
    options = server_options(runtime.settings) | {"lifespan": "off"}
    server = uvicorn.Server(uvicorn.Config(app, **options))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield int(listener.getsockname()[1])
    server.should_exit = True
    await task
    listener.close()


async def told(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    try:
        answer = await asyncio.wait_for(reader.read(65_536), 2)
    except TimeoutError:
        answer = b""
    writer.close()
    return answer


@pytest.mark.bar("CVE-2026-48710", "ASVS-4.2.1", "CVE-2026-73418", "CVE-2026-48817")
async def test_odd_bytes_never_make_a_failure(port: int) -> None:
    for request in ODD:
        answer = await told(port, request)

        assert b"HTTP/1.1 5" not in answer, request
        assert b"Traceback" not in answer

    assert b"200 OK" in await told(port, b"GET %s HTTP/1.1\r\nHost: localhost:8000\r\n\r\n" % OPEN)


@pytest.mark.bar("ASVS-13.4.6", "ASVS-4.1.3")
async def test_server_neither_names_itself_nor_believes_proxies(port: int) -> None:
    request = b"GET /api/v1/shop/facts HTTP/1.1\r\nHost: localhost:8000\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"
    answer = await told(port, request)

    assert b"server:" not in answer.lower()
    assert b'"client_address":"127.0.0.1"' in answer


@pytest.mark.bar("P26")
async def test_two_megabytes_of_headers_are_refused(port: int) -> None:
    request = b"GET %s HTTP/1.1\r\nHost: localhost:8000\r\nX-Large: %s\r\n\r\n" % (OPEN, b"a" * 2_000_000)

    assert b"HTTP/1.1 431" in await told(port, request)


@pytest.mark.bar("P36", "ASVS-1.4.3")
async def test_clients_that_hang_up_leave_nothing_behind(port: int) -> None:
    before = len(asyncio.all_tasks())
    for cut in range(0, 60, 3):
        request = b"POST /api/v1/shop/orders HTTP/1.1\r\nHost: localhost:8000\r\nContent-Length: 9\r\n\r\n{}"
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request[: len(request) - cut])
        writer.close()
    await asyncio.sleep(0.3)

    assert len(asyncio.all_tasks()) <= before + 2
