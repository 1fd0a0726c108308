"""The one line of each request: what stands in it, and what never does."""

import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from portico.core.logging import access_line
from portico.core.settings import Settings
from portico.http.application import HttpFloor
from portico.runtime import Runtime
from tests.http.shop import ADA, SESSION, client_of, shop_app

CANARY = "Zx9canary"


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
async def client(runtime: Runtime, out: io.StringIO) -> AsyncIterator[httpx2.AsyncClient]:
    app, floor = shop_app(runtime)
    log_to(floor, out)
    async with client_of(app) as client:
        yield client


def log_to(floor: HttpFloor, out: io.StringIO) -> None:
    floor._gear = replace(floor.gear(), access_line=access_line(Settings(logging={"format": "json"}), out))


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.mark.bar("ASVS-16.2.1", "ASVS-16.2.2", "ASVS-16.2.4")
async def test_line_says_what_was_asked_by_whom_and_how_it_ended(
    client: httpx2.AsyncClient, out: io.StringIO
) -> None:
    answer = await client.get(f"/api/v1/shop/orders/{uuid4()}", headers={"Authorization": "Bearer ada"})

    (line,) = lines(out)
    assert line.pop("timestamp").endswith("Z")
    assert line.pop("ms") >= 0
    assert line == {
        "level": "info", "event": "request", "method": "GET", "route": "/api/v1/shop/orders/{order_id}",
        "status": 200, "request_id": answer.headers["x-request-id"], "principal": str(ADA),
    }  # fmt: skip


@pytest.mark.bar("ASVS-14.2.1", "ASVS-16.2.5", "CHECK-23")
async def test_line_never_holds_a_secret(client: httpx2.AsyncClient, out: io.StringIO) -> None:
    secret = {
        "Authorization": f"Bearer {CANARY}",
        "Cookie": f"a={CANARY}",
        "X-CSRF-Token": CANARY,
        "Referer": CANARY,
    }
    for path in (
        f"/api/v1/shop/search?q={CANARY}",
        f"/verify/{CANARY * 4}?token={CANARY}",
        f"/api/v1/shop/orders/{CANARY}",
    ):
        await client.get(path, headers=secret)
    await client.post("/api/v1/shop/orders", json={"name": "tea", "password": CANARY})
    await client.post(
        "/account", data={"csrf_token": CANARY}, headers={"Cookie": f"portico_session={SESSION}"}
    )

    assert len(lines(out)) == 5
    assert CANARY not in out.getvalue()


@pytest.mark.parametrize(
    "path", ["/a%0d%0aforged", "/a%1b%5b2J", "/%22,%22status%22:200", "/%e2%80%a8", "/<b>", "/ü"]
)
@pytest.mark.bar("ASVS-16.4.1")
async def test_path_cannot_forge_a_line(client: httpx2.AsyncClient, out: io.StringIO, path: str) -> None:
    answer = await client.get("http://localhost:8000" + path)

    (line,) = lines(out)
    assert line["status"] == answer.status_code
    assert line["route"].isascii()


async def test_refusals_of_the_edge_are_logged_too(client: httpx2.AsyncClient, out: io.StringIO) -> None:
    await client.get("/api/v1/shop/open", headers={"Host": "evil.test"})
    await client.request("BREW", "/api/v1/shop/open", headers={"X-Large": "a" * 20_000})

    assert [(line["method"], line["status"]) for line in lines(out)] == [("GET", 400), ("OTHER", 431)]
