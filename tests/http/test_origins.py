"""What foreign pages can make a browser do, and what they may read."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from portico.http.csrf import token_for
from portico.runtime import Runtime
from tests.http.shop import SESSION, client_of

COOKIE = {"Cookie": f"portico_session={SESSION}"}
ORDERS, OPEN = "/api/v1/shop/orders", "/api/v1/shop/open"
LISTED = "https://app.example.com"

FOREIGN_ORIGINS = [
    "https://evil.test", "http://localhost", "http://localhost:8001", "https://localhost:8000", "http://localhost:80000",
    "http://localhost:8000.evil.test", "http://evil.test/http://localhost:8000", "http://evil-localhost:8000",
    "http://localhost:8000@evil.test", "http://127.0.0.1:8000", "http://[::1]:8000", "http://LOCALHOST:8000",
    "http://localhost:8000/", "http://localhost:8000 http://evil.test", "file://", "about:blank", "", " ", "*", "null ",
    "https://app.example.com.evil.test", "https://evilapp.example.com", "https://app.example.com:444",
    "http://app.example.com", "https://app.example.comevil.test", "https://sub.app.example.com",
    "https://app.example.com%60.evil.test", "https://app_example.com", "chrome-extension://abcdef", "data:,",
]  # fmt: skip


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"http": {"cors_origins": (LISTED,), "cors_credentials": True, "allowed_hosts": ("*.shop.test",)}}


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
@pytest.mark.parametrize("credential", [{}, COOKIE], ids=["anonymous", "cookie"])
@pytest.mark.bar("CHECK-18", "ASVS-3.5.1")
async def test_write_from_a_foreign_page_is_refused(
    client: httpx2.AsyncClient, runtime: Runtime, origin: str, credential: dict[str, str]
) -> None:
    token = {"X-CSRF-Token": token_for(runtime.secret, SESSION)}
    answer = await client.post(
        ORDERS, json={"name": "tea"}, headers={"Origin": origin, **token, **credential}
    )

    assert answer.status_code == 403
    assert answer.json()["code"] == "origin_refused"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "null"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "same-site"},
        {"Origin": "null", "Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "garbage"},
        {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.test", "Sec-Fetch-Site": "same-origin"},
    ],
)
@pytest.mark.bar("CHECK-18", "ASVS-3.5.1", "ASVS-3.5.8")
async def test_write_that_the_browser_calls_foreign_is_refused(
    client: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    assert (await client.post(ORDERS, json={"name": "tea"}, headers=headers)).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost:8000"},
        {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": LISTED, "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.test", "Authorization": "Bearer ada"},
    ],
)
async def test_write_without_foreign_authority_is_let_through(
    client: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    assert (await client.post(ORDERS, json={"name": "tea"}, headers=headers)).status_code == 201


async def test_page_under_an_allowed_wildcard_is_its_own_origin_only(app: FastAPI) -> None:
    async with client_of(app, base_url="http://a.shop.test") as client:
        own = await client.post(ORDERS, json={"name": "tea"}, headers={"Origin": "http://a.shop.test"})
        sibling = await client.post(ORDERS, json={"name": "tea"}, headers={"Origin": "http://b.shop.test"})

    assert (own.status_code, sibling.status_code) == (201, 403)


@pytest.mark.parametrize("kind", ["urlencoded", "multipart", "text/plain", "json", "none"])
@pytest.mark.parametrize("token", [None, "", "x", "A" * 43, "é", "token-of-another-session"])
@pytest.mark.bar("CHECK-18", "ASVS-3.5.1", "ASVS-3.5.2")
async def test_write_by_cookie_without_its_token_is_refused(
    client: httpx2.AsyncClient, runtime: Runtime, kind: str, token: str | None
) -> None:
    token = token_for(runtime.secret, "another") if token == "token-of-another-session" else token
    sent = form_of(kind, token)
    answer = await client.post("/account", **{**sent, "headers": {**COOKIE, **sent.get("headers", {})}})

    assert answer.status_code == 403
    assert answer.json()["code"] == "csrf_token_invalid"


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
async def test_form_with_the_token_reaches_the_route_whole(
    client: httpx2.AsyncClient, runtime: Runtime, kind: str
) -> None:
    answer = await client.post(
        "/account", headers=COOKIE, **form_of(kind, token_for(runtime.secret, SESSION))
    )

    assert (answer.status_code, answer.text) == (200, "changed Ada")


async def test_page_gives_the_token_that_its_form_needs(client: httpx2.AsyncClient) -> None:
    token = (await client.get("/account", headers=COOKIE)).text.removeprefix("<p>account</p>")
    by_header = await client.post("/account", headers={**COOKIE, "X-CSRF-Token": token}, data={"name": "Ada"})

    assert by_header.status_code == 200


@pytest.mark.parametrize("cookie", ["portico_session=x", f"portico_session={SESSION}; portico_session=x"])
async def test_cookie_that_is_not_believed_gives_no_authority(
    client: httpx2.AsyncClient, cookie: str
) -> None:
    assert (await client.post("/account", headers={"Cookie": cookie}, data={})).status_code == 401


def form_of(kind: str, token: str | None) -> dict[str, Any]:
    fields = {"name": "Ada", **({} if token is None else {"csrf_token": token})}
    if kind == "urlencoded":
        return {"data": fields}
    if kind == "multipart":
        return {"files": {name: (None, value) for name, value in fields.items()}}
    if kind == "json":
        return {"json": fields}
    if kind == "none":
        return {}
    return {"content": f"csrf_token={token}", "headers": {"Content-Type": kind}}


# CORS


@pytest.mark.parametrize("origin", [*FOREIGN_ORIGINS, "null"])
@pytest.mark.bar("ASVS-3.4.2", "CHECK-18")
async def test_foreign_page_may_not_read(client: httpx2.AsyncClient, origin: str) -> None:
    answer = await client.get(OPEN, headers={"Origin": origin})
    preflight = await client.options(
        OPEN, headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
    )

    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-origin" not in preflight.headers
    assert preflight.status_code == 403
    assert "Origin" in answer.headers["vary"]


@pytest.mark.bar("ASVS-3.4.2")
async def test_listed_page_may_read(client: httpx2.AsyncClient) -> None:
    answer = await client.get(OPEN, headers={"Origin": LISTED})

    assert answer.headers["access-control-allow-origin"] == LISTED
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
    assert answer.headers["vary"] == "Origin"


async def test_listed_page_may_read_refusals_too(client: httpx2.AsyncClient) -> None:
    for path in ("/api/nowhere", "/api/v1/shop/closed", "/api/v1/shop/failing"):
        answer = await client.get(path, headers={"Origin": LISTED})

        assert answer.headers["access-control-allow-origin"] == LISTED


async def test_preflight_of_a_listed_page_is_answered(client: httpx2.AsyncClient) -> None:
    asked = {
        "Origin": LISTED,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = await client.options("/api/v1/shop/orders/1", headers=asked)

    assert answer.status_code == 204
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert "Idempotency-Key" in answer.headers["access-control-allow-headers"]


async def test_pages_are_not_shared_with_other_origins(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/plain", headers={"Origin": LISTED})

    assert "access-control-allow-origin" not in answer.headers


class TestAnyOrigin:
    """`*` opens the API to every page, and never with credentials."""

    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"http": {"cors_origins": ("*",), "cors_credentials": True}}

    @pytest.mark.bar("ASVS-3.4.2")
    async def test_star_never_comes_with_credentials(self, client: httpx2.AsyncClient) -> None:
        for method in ("GET", "OPTIONS"):
            asked = {"Origin": "https://evil.test", "Access-Control-Request-Method": "GET"}
            answer = await client.request(method, OPEN, headers=asked)

            assert answer.headers["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in answer.headers

    @pytest.mark.bar("CHECK-18")
    async def test_star_gives_no_page_the_authority_of_a_cookie(
        self, client: httpx2.AsyncClient, runtime: Runtime
    ) -> None:
        token = token_for(runtime.secret, SESSION)
        headers = {"Origin": "https://evil.test", "X-CSRF-Token": token, **COOKIE}

        assert (await client.post("/account", headers=headers)).status_code == 403
