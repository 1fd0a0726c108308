"""What every answer carries, and what is told when something is refused or fails."""

import asyncio
import logging
import re
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from structlog.typing import EventDict

from portico.runtime import Runtime
from tests.http.shop import FailingAuthenticator, client_of, shop_app

JSON_PATHS = [
    "/api/v1/shop/open",
    "/api/v1/shop/closed",
    "/api/nowhere",
    "/api/v1/shop/failing",
    "/health",
    "/openapi.json",
]
PAGE_PATHS = ["/", "/plain", "/nowhere", "/docs", "/redoc"]
HTML = {"Accept": "text/html"}


def directives(answer: httpx2.Response) -> dict[str, str]:
    parts = answer.headers["content-security-policy"].split("; ")
    return {name: value for name, _, value in (part.partition(" ") for part in parts)}


@pytest.mark.parametrize("path", [*JSON_PATHS, *PAGE_PATHS])
@pytest.mark.bar("ASVS-3.4.4", "ASVS-3.4.5", "ASVS-3.4.6", "ASVS-3.4.8", "ASVS-13.4.6", "ASVS-4.1.1")
async def test_every_answer_carries_the_security_headers(client: httpx2.AsyncClient, path: str) -> None:
    headers = (await client.get(path, headers=HTML)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers
    assert "strict-transport-security" not in headers
    assert re.fullmatch(r"application/(problem\+)?json|text/html; charset=utf-8", headers["content-type"])


@pytest.mark.parametrize("path", JSON_PATHS)
@pytest.mark.bar("ASVS-3.4.3", "ASVS-3.2.1", "ASVS-14.3.2")
async def test_data_is_inert_in_a_browser_and_not_stored(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert directives(answer)["default-src"] == "'none'"
    assert "sandbox" in directives(answer)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", PAGE_PATHS)
@pytest.mark.bar("ASVS-3.4.3", "ASVS-14.3.2")
async def test_page_runs_scripts_by_nonce_only(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers=HTML)
    policy = directives(answer)

    assert re.fullmatch(r"'none'|'nonce-[\w-]{22}'", policy["script-src"])
    assert policy["object-src"] == policy["base-uri"] == policy["default-src"] == "'none'"
    assert "unsafe" not in policy["script-src"]
    assert "unsafe-inline" not in policy["style-src"] or path == "/redoc"
    assert answer.headers["cache-control"] == "no-store"


async def test_nonce_is_the_page_s_and_new_each_time(client: httpx2.AsyncClient) -> None:
    answers = [await client.get("/") for _ in range(2)]
    nonces = [re.findall("nonce=([\\w-]+)", answer.text)[0] for answer in answers]

    assert all(
        f"'nonce-{nonce}'" in directives(answer)["script-src"]
        for nonce, answer in zip(nonces, answers, strict=True)
    )
    assert nonces[0] != nonces[1]


async def test_route_may_say_how_long_its_answer_is_kept(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/api/v1/shop/cached")).headers.get_list("cache-control") == ["max-age=60"]


class TestHttps:
    """With an https public URL."""

    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"public_url": "https://example.com"}

    @pytest.mark.parametrize("path", [*JSON_PATHS, *PAGE_PATHS])
    @pytest.mark.bar("ASVS-3.4.1")
    async def test_every_answer_asks_for_tls_for_a_year_or_more(self, app: FastAPI, path: str) -> None:
        async with client_of(app, base_url="https://example.com") as client:
            hsts = (await client.get(path, headers=HTML)).headers["strict-transport-security"]

        assert int(hsts.split(";")[0].removeprefix("max-age=")) >= 31_536_000
        assert "includeSubDomains" in hsts

    @pytest.mark.bar("ASVS-4.1.2")
    async def test_api_never_redirects(self, app: FastAPI) -> None:
        async with client_of(app, base_url="http://other.test") as client:
            assert (await client.get("/api/v1/shop/open")).status_code == 400


# Failures


@pytest.mark.bar("ASVS-16.5.1", "ASVS-16.5.4")
async def test_failure_tells_the_caller_nothing_and_the_log_everything_once(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture, entries: list[EventDict]
) -> None:
    answer = await client.get("/api/v1/shop/failing")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document.pop("request_id") == answer.headers["x-request-id"]
    assert document == {
        "type": "urn:portico:problem:internal_error", "title": "Something went wrong", "status": 500,
        "detail": "Something went wrong", "code": "internal_error",
    }  # fmt: skip
    assert [entry["event"] for entry in entries] == ["request_failed"]
    assert isinstance(entries[0]["exc_info"], ZeroDivisionError)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.bar("ASVS-16.5.1")
async def test_failure_of_a_page_is_a_page(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/nowhere", headers=HTML)

    assert (answer.status_code, answer.text) == (404, "<h1>Not found</h1>")


@pytest.mark.bar("ASVS-16.5.3", "ASVS-16.5.2", "CHECK-24")
async def test_authenticator_that_fails_lets_nobody_in(runtime: Runtime) -> None:
    app, _ = shop_app(runtime, authenticators=[lambda _: FailingAuthenticator()])
    async with client_of(app) as client:
        answers = [await client.get(f"/api/v1/shop/{name}") for name in ("open", "closed")]

    assert [answer.status_code for answer in answers] == [500, 500]
    assert "key store" not in answers[0].text


async def test_rejected_credential_is_told_why(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/shop/closed", headers={"Authorization": "Bearer eve"})

    assert answer.status_code == 401
    assert answer.json()["reason"] == "token_invalid"
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_anonymous_caller_is_asked_to_authenticate(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/shop/closed")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="portico"'


async def test_caller_without_the_right_gets_403(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/shop/never", headers={"Authorization": "Bearer ada"})

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


async def test_permission_is_asked_before_the_body_is_looked_at(client: httpx2.AsyncClient) -> None:
    answer = await client.post(
        "/api/v1/shop/closed-orders", content=b"{" * 1000, headers={"Content-Type": "x/y"}
    )

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("path", "next_page"),
    [
        ("/account", "/login?next=/account"),
        ("/account?tab=devices&x=%2F", "/login?next=/account%3Ftab%3Ddevices%26x%3D%252F"),
    ],
)
@pytest.mark.bar("ASVS-3.7.2")
async def test_page_that_needs_sign_in_leads_there_and_back(
    client: httpx2.AsyncClient, path: str, next_page: str
) -> None:
    answer = await client.get(path, headers=HTML)

    assert (answer.status_code, answer.headers["location"]) == (303, next_page)


async def test_program_that_asks_for_a_page_gets_a_problem(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/account")

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_form_of_a_signed_out_visitor_gets_a_page(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/account", headers=HTML, data={})

    assert (answer.status_code, answer.text) == (401, "<h1>Sign in to go on</h1>")


# Time


class TestTimeout:
    """A request that takes too long."""

    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"http": {"request_timeout": 0.2}}

    @pytest.mark.bar("P15", "ASVS-13.2.6")
    async def test_request_that_takes_too_long_gets_503(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/api/v1/shop/slow")

        assert (answer.status_code, answer.json()["code"]) == (503, "request_timed_out")
        assert answer.headers["retry-after"] == "1"
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    async def test_answer_that_has_begun_may_take_its_time(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/api/v1/shop/stream")

        assert (answer.status_code, answer.text) == (200, "part;" * 4)

    async def test_cancellation_from_outside_goes_through(self, client: httpx2.AsyncClient) -> None:
        task = asyncio.create_task(client.get("/api/v1/shop/slow"))
        await asyncio.sleep(0.05)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task


async def test_answer_that_breaks_off_is_not_completed(app: FastAPI) -> None:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(10)
        return {"type": "http.disconnect"}

    scope = {
        "type": "http", "method": "GET", "path": "/api/v1/shop/half", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost:8000")], "client": ("192.0.2.7", 1), "http_version": "1.1",
    }  # fmt: skip
    with pytest.raises(BaseException):  # noqa: B017, PT011 - a group or the error itself, by the version of anyio
        await app(scope, receive, send)

    assert [message["type"] for message in messages] == ["http.response.start", "http.response.body"]
    assert messages[-1]["more_body"] is True


async def test_client_that_goes_away_in_the_middle_of_its_body_is_no_failure(app: FastAPI) -> None:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http", "method": "POST", "path": "/api/v1/shop/orders", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost:8000"), (b"content-length", b"100")], "client": ("192.0.2.7", 1),
    }  # fmt: skip
    await app(scope, receive, send)

    assert messages[0]["status"] == 400
