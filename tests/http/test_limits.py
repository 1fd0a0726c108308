"""Rate limits of requests: who is counted, where, and what he is told."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from portico.coordination.counters import Counters, Verdict, Window
from portico.coordination.memory import MemoryCounters
from portico.core.settings import RateLimitSettings
from portico.http.edge.limits import UnknownRouteLimit
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.http.shop import client_of, shop_app

OPEN, CLOSED, SIGN_IN, ORDERS = (f"/api/v1/shop/{name}" for name in ("open", "closed", "sign-in", "orders"))
ADA, BOB = {"Authorization": "Bearer ada"}, {"Authorization": "Bearer bob"}
ORDER = {"name": "tea"}


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "rate_limit": {
            "enabled": True,
            "sign_in": "3/minute 10/hour",
            "write": "5/minute",
            "read": "8/minute 100/hour",
            "routes": {"GET /api/v1/shop/cached": "2/minute"},
        },
        "http": {"trusted_proxies": ("10.0.0.1",), "forwarded_header": "x-forwarded-for"},
    }


@pytest.fixture
async def proxied(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app, peer="10.0.0.1") as client:
        yield client


async def statuses(client: httpx2.AsyncClient, times: int, method: str, path: str, **given: Any) -> list[int]:
    return [(await client.request(method, path, **given)).status_code for _ in range(times)]


@pytest.mark.bar("ASVS-2.4.1")
async def test_refusal_is_a_problem_that_says_when_to_come_back(client: httpx2.AsyncClient) -> None:
    await statuses(client, 8, "GET", OPEN)

    answer = await client.get(OPEN)

    assert answer.status_code == 429
    assert answer.json()["code"] == "rate_limited"
    assert 1 <= int(answer.headers["retry-after"]) <= 63
    assert answer.headers["ratelimit"].startswith('"read-minute";r=0;t=')
    assert answer.headers["x-ratelimit-remaining"] == "0"


async def test_every_answer_tells_how_the_caller_stands(
    client: httpx2.AsyncClient, clock: FrozenClock
) -> None:
    answer = await client.get(OPEN)

    assert answer.headers["ratelimit-policy"] == '"read-minute";q=8;w=60, "read-hour";q=100;w=3600'
    assert answer.headers["ratelimit"] == '"read-minute";r=7;t=60'
    assert answer.headers["x-ratelimit-limit"] == "8"
    assert answer.headers["x-ratelimit-remaining"] == "7"
    assert int(answer.headers["x-ratelimit-reset"]) == pytest.approx(clock.now().timestamp() + 60, abs=1)


@pytest.mark.bar("ASVS-2.4.1", "ASVS-6.3.1")
async def test_sign_in_is_counted_by_address_whoever_signs_in(client: httpx2.AsyncClient) -> None:
    tries = [await client.post(SIGN_IN, json=ORDER, headers=who) for who in ({}, ADA, BOB, {}, ADA)]

    assert [answer.status_code for answer in tries] == [200, 200, 200, 429, 429]


async def test_principals_have_budgets_of_their_own_behind_one_address(client: httpx2.AsyncClient) -> None:
    assert await statuses(client, 9, "GET", OPEN, headers=ADA) == [200] * 8 + [429]
    assert await statuses(client, 9, "GET", OPEN, headers=BOB) == [200] * 8 + [429]
    assert await statuses(client, 9, "GET", OPEN) == [200] * 8 + [429]


async def test_rejected_credential_is_counted_by_address(client: httpx2.AsyncClient) -> None:
    tries = [await client.get(CLOSED, headers={"Authorization": f"Bearer x{number}"}) for number in range(9)]

    assert [answer.status_code for answer in tries] == [401] * 8 + [429]


async def test_reading_and_writing_do_not_share_a_budget(client: httpx2.AsyncClient) -> None:
    assert await statuses(client, 6, "POST", ORDERS, json=ORDER) == [201] * 5 + [429]
    assert await statuses(client, 8, "GET", OPEN) == [200] * 8


@pytest.mark.bar("GHSA-x732-6j76-qmhm")
async def test_spellings_of_a_path_share_a_budget(client: httpx2.AsyncClient) -> None:
    spellings = [
        "/api/v1/shop/sign-in",
        "/api/v1/shop/sign%2Din",
        "/api/v1/shop/%73ign-in",
        "/api/v1/shop%2Fsign-in",
    ]

    answers = [
        (await client.post("http://localhost:8000" + path, json=ORDER)).status_code for path in spellings
    ]

    assert answers == [200, 200, 200, 429]


@pytest.mark.bar("GHSA-x732-6j76-qmhm")
async def test_paths_without_a_route_count_too(client: httpx2.AsyncClient) -> None:
    tries = [
        (await client.post(f"/api//v1/shop/sign-in/{number}", json=ORDER)).status_code for number in range(6)
    ]

    assert tries == [404] * 5 + [429]


async def test_limit_of_a_route_holds_besides_that_of_its_class(client: httpx2.AsyncClient) -> None:
    path = "/api/v1/shop/cached"
    answers = [await client.get(path) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["ratelimit"].startswith('"GET /api/v1/shop/cached-minute";r=1')
    assert (await client.get(OPEN)).status_code == 200


async def test_limit_of_a_route_that_does_not_exist_is_refused_at_the_start(runtime: Runtime) -> None:
    limits = RateLimitSettings(routes={"GET /api/v1/shop/opne": "1/minute"})
    object.__setattr__(runtime.settings, "rate_limit", limits)
    _, floor = shop_app(runtime)

    with pytest.raises(UnknownRouteLimit, match="opne"):
        floor.start()


async def test_health_is_not_counted(client: httpx2.AsyncClient) -> None:
    assert await statuses(client, 20, "GET", "/health") == [200] * 20


async def test_window_slides(client: httpx2.AsyncClient, clock: FrozenClock) -> None:
    await statuses(client, 9, "GET", OPEN)
    clock.advance(timedelta(seconds=64))

    assert (await client.get(OPEN)).status_code == 200


@pytest.mark.bar("CVE-2026-45364", "CHECK-13")
async def test_addresses_of_one_ipv6_subscriber_share_a_budget(proxied: httpx2.AsyncClient) -> None:
    tries = [
        (await proxied.get(OPEN, headers={"X-Forwarded-For": f"2001:db8:1:2::{number:x}"})).status_code
        for number in range(1, 2**16, 7_000)
    ]

    assert tries == [200] * 8 + [429] * 2


@pytest.mark.bar("CHECK-13")
@pytest.mark.parametrize("header", ["X-Forwarded-For", "X_Forwarded_For", "Forwarded", "X-Real-IP"])
async def test_budget_cannot_be_renewed_by_a_header(client: httpx2.AsyncClient, header: str) -> None:
    tries = [
        (await client.get(OPEN, headers={header: f"for=1.2.3.{number}"})).status_code for number in range(9)
    ]

    assert tries[-1] == 429


@pytest.mark.bar("CVE-2024-47070")
async def test_garbage_in_a_forwarded_header_gives_no_budget_of_its_own(proxied: httpx2.AsyncClient) -> None:
    tries = [
        (await proxied.get(OPEN, headers={"X-Forwarded-For": f"garbage-{number}"})).status_code
        for number in range(9)
    ]

    assert tries == [200] * 8 + [429]


class SharedCounters:
    """Counts elsewhere: every hit has to be waited for."""

    def __init__(self, clock: FrozenClock) -> None:
        self._counters = MemoryCounters(clock)

    async def hit(self, key: str, limits: Sequence[Window]) -> Verdict:
        await asyncio.sleep(0)
        return self._counters.hit_now(key, limits)


async def test_counters_that_have_to_be_waited_for_hold_the_same_limits(
    runtime: Runtime, clock: FrozenClock
) -> None:
    runtime.provide(Counters, SharedCounters(clock))
    app, _ = shop_app(runtime)
    async with client_of(app) as client:
        assert await statuses(client, 9, "GET", OPEN) == [200] * 8 + [429]
        assert await statuses(client, 4, "POST", SIGN_IN, json=ORDER, headers=ADA) == [200] * 3 + [429]


@pytest.mark.bar("CHECK-24", "ASVS-16.5.3")
async def test_counters_that_fail_let_nobody_through(runtime: Runtime) -> None:
    class Failing:
        async def hit(self, key: str, limits: Sequence[Window]) -> Verdict:
            raise RuntimeError("counters are away")

    runtime.provide(Counters, Failing())
    app, _ = shop_app(runtime)
    async with client_of(app) as client:
        assert (await client.get(OPEN)).status_code == 500
