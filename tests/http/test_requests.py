"""What is too large, too odd or too ambiguous to be looked at."""

import time
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from tests.http.shop import client_of

PATH = "/api/v1/shop/open"


async def called(app: FastAPI, **given: Any) -> tuple[int, dict[bytes, bytes], bytes]:
    """Call the application with a scope that no well-behaved client would send."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": PATH,
        "raw_path": PATH.encode(), "query_string": b"", "root_path": "", "scheme": "http",
        "headers": [(b"host", b"localhost:8000")], "client": ("192.0.2.7", 1), "server": ("localhost", 8000), **given,
    }  # fmt: skip
    messages: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return messages[0]["status"], dict(messages[0]["headers"]), body


@pytest.mark.parametrize("size", [20_000, 64_000, 2_000_000])
@pytest.mark.bar("P26", "CHECK-20")
async def test_large_header_gets_431_at_once(app: FastAPI, size: int) -> None:
    await called(app)
    headers = [(b"host", b"localhost:8000"), (b"x-large", b"a" * size)]

    begun = time.process_time()
    status, answered, body = await called(app, headers=headers)

    assert time.process_time() - begun < 0.05
    assert status == 431
    assert b"headers_too_large" in body
    assert answered[b"connection"] == b"close"


@pytest.mark.bar("P26", "CHECK-20")
async def test_many_headers_get_431(app: FastAPI) -> None:
    headers = [(b"host", b"localhost:8000"), *((b"x-%d" % number, b"1") for number in range(200))]
    twice = [(b"host", b"localhost:8000"), *((b"x-same", b"1") for _ in range(200))]

    assert (await called(app, headers=headers))[0] == 431
    assert (await called(app, headers=twice))[0] == 431


@pytest.mark.bar("ASVS-4.2.5", "CHECK-20")
async def test_long_address_gets_414(client: httpx2.AsyncClient) -> None:
    assert (await client.get(PATH + "?q=" + "a" * 9_000)).status_code == 414
    assert (await client.get("/api/" + "a" * 9_000)).status_code == 414


@pytest.mark.parametrize(
    "method",
    [
        "TRACE",
        "CONNECT",
        "PROPFIND",
        "TRACK",
        "get",
        "Get",
        "__class__",
        "GETX",
        "",
        "DEBUG",
        "QUERY",
        "A" * 99,
    ],
)
@pytest.mark.parametrize("path", [PATH, "/nowhere", "/plain"])
@pytest.mark.bar("ASVS-4.1.4", "ASVS-13.4.4", "CVE-2026-48817")
async def test_odd_verb_gets_405(app: FastAPI, method: str, path: str) -> None:
    status, headers, _ = await called(app, method=method, path=path)

    assert status == 405
    assert b"allow" in headers
    assert b"content-security-policy" in headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.bar("ASVS-4.1.4")
async def test_verb_that_the_route_has_not_gets_405_and_is_told_which(
    client: httpx2.AsyncClient, method: str
) -> None:
    answer = await client.request(method, PATH)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert answer.json()["code"] == "method_not_allowed"


async def test_head_answers_as_get_does_without_a_body(client: httpx2.AsyncClient) -> None:
    answer = await client.head(PATH)

    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


async def test_allow_names_the_methods_of_all_routes_of_a_path(client: httpx2.AsyncClient) -> None:
    answer = await client.delete("/api/v1/shop/orders/01932f6e-7c1a-7abc-8def-0123456789ab")

    assert answer.headers["allow"] == "GET, HEAD, PUT"


@pytest.mark.parametrize(
    "name", ["host", "authorization", "content-type", "origin", "idempotency-key", "x-csrf-token"]
)
@pytest.mark.bar("ASVS-15.3.7", "ASVS-4.2.1")
async def test_header_that_may_stand_once_stands_once(app: FastAPI, name: str) -> None:
    headers = [(b"host", b"localhost:8000"), (name.encode(), b"a"), (name.encode(), b"b")]

    status, _, body = await called(app, headers=headers)

    assert status == 400
    assert b"duplicate_header" in body


@pytest.mark.parametrize(
    "path", ["/api/v1/shop/\x00", "/api\x1b[31m", "relative", "*", "", "/a\r\nb", "/\x7f", "/\u2028"]
)
async def test_path_that_is_none_gets_400(app: FastAPI, path: str) -> None:
    assert (await called(app, path=path, raw_path=b"/"))[0] == 400


@pytest.mark.parametrize("query", [b"q=%00", b"q=a%00b", b"%00=1", b"q=\xff\xfe"])
async def test_query_that_no_database_takes_gets_422(app: FastAPI, query: bytes) -> None:
    assert (await called(app, query_string=query))[0] == 422


@pytest.mark.parametrize(
    "path",
    [
        "//api/v1/shop/closed", "/api//v1/shop/closed", "/api/v1/shop/closed/", "/api/v1/shop//closed",
        "/api/v1/shop/./closed", "/api/v1/shop/x/../closed", "/API/v1/shop/closed", "/api/v1/shop/closed;x=1",
        "/api/v1/shop/%63losed", "/api/v1/shop%2Fclosed", "/api/v1/shop/closed%20", "/api/v1/shop/closed%0a",
        "/api/v1/shop/closed.json", "/api/v1/shop/closed/x.css", "/api/v1\\shop\\closed", "/%2e%2e/api/v1/shop/closed",
    ],
)  # fmt: skip
@pytest.mark.bar("GHSA-x732-6j76-qmhm", "CVE-2026-33494", "ASVS-14.2.5", "ASVS-1.1.1")
async def test_no_spelling_of_a_path_opens_a_closed_route(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get("http://localhost:8000" + path, follow_redirects=True)

    assert answer.status_code in {400, 401, 404}


@pytest.mark.parametrize("given", ["abc", "A.b-c_9", "x" * 128, "01932f6e-7c1a-7abc-8def-0123456789ab"])
@pytest.mark.parametrize("name", ["X-Request-ID", "X-Correlation-ID"])
@pytest.mark.bar("ASVS-16.2.4")
async def test_request_id_of_the_caller_is_kept(client: httpx2.AsyncClient, name: str, given: str) -> None:
    answer = await client.get("/api/v1/shop/facts", headers={name: given})

    assert answer.headers["x-request-id"] == given == answer.json()["request_id"]


@pytest.mark.parametrize(
    "given", [b"", b" ", b"x" * 129, b"a b", b"a\tb", b"a;b", b"\xe9", b'"a"', b"a/b", b"<b>"]
)
@pytest.mark.bar("ASVS-16.4.1")
async def test_request_id_that_is_none_is_replaced(app: FastAPI, given: bytes) -> None:
    _, headers, _ = await called(app, headers=[(b"host", b"localhost:8000"), (b"x-request-id", given)])

    assert len(headers[b"x-request-id"]) == 36


async def test_refusals_carry_the_request_id(client: httpx2.AsyncClient) -> None:
    for path, given in (
        ("/api/nowhere", {}),
        (PATH, {"X-Large": "a" * 20_000}),
        (PATH, {"Host": "evil.test"}),
    ):
        answer = await client.get(path, headers={"X-Request-ID": "req-1", **given})

        assert answer.headers["x-request-id"] == "req-1" == answer.json()["request_id"]


async def test_facts_reach_the_services(app: FastAPI) -> None:
    async with client_of(app, peer="2001:db8::5") as client:
        headers = {"User-Agent": "a" * 900, "Cookie": "portico_device=d1"}
        facts = (await client.get("/api/v1/shop/facts", headers=headers)).json()

    assert facts["client_address"] == "2001:db8::5"
    assert facts["user_agent"] == "a" * 300
    assert facts["device_cookie"] == "d1"


async def test_several_cookie_lines_are_one(app: FastAPI) -> None:
    headers = [
        (b"host", b"localhost:8000"),
        (b"cookie", b"a=1"),
        (b"cookie", b"portico_session=session-of-ada"),
    ]

    status, _, body = await called(app, path="/account", headers=headers)

    assert (status, body[:14]) == (200, b"<p>account</p>")
