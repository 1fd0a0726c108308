"""What load balancers, the public and administrators are told of the server's state."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from structlog.typing import EventDict

from portico.http import health
from portico.http.access import Authorizer
from portico.http.permissions import HealthPermission
from portico.http.policies import Verdict
from portico.runtime import Runtime
from tests.http.shop import client_of, shop_app


class Administrators:
    """Everybody may look into the server."""

    async def decide(self, principal: object, permission: object, *_: object, **__: object) -> Verdict:
        return Verdict.ALLOWED if permission is HealthPermission.READ else Verdict.NOT_HELD


@dataclass
class Part:
    """A part to be asked."""

    name: str
    run: Any


async def fine(_runtime: Runtime) -> str:
    return "3 of 10 connections in use"


async def broken(_runtime: Runtime) -> str:
    raise ConnectionError("postgresql://portico:hunter2@db refused")


async def hanging(_runtime: Runtime) -> str:
    await asyncio.sleep(60)
    return "never"


async def answered(runtime: Runtime, path: str, **given: Any) -> httpx2.Response:
    app, _ = shop_app(runtime, **given)
    runtime.provide(Authorizer, Administrators())
    async with client_of(app) as client:
        return await client.get(path, headers={"Authorization": "Bearer ada"})


@pytest.mark.bar("ASVS-13.4.6")
async def test_process_is_well_and_says_no_more(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/health")).json() == {"status": "ok"}
    assert (await client.get("/health/ready")).json() == {"status": "ok"}


@pytest.mark.bar("P42")
@pytest.mark.parametrize("check", [broken, hanging])
async def test_process_that_cannot_serve_is_not_ready(
    runtime: Runtime, check: Any, monkeypatch: pytest.MonkeyPatch, entries: list[EventDict]
) -> None:
    monkeypatch.setattr(health, "READY_WITHIN_SECONDS", 0.1)
    answer = await answered(runtime, "/health/ready", readiness=[check])

    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert "hunter2" not in answer.text
    assert "not_ready" in [entry["event"] for entry in entries]


async def test_readiness_is_asked_once_a_second(runtime: Runtime) -> None:
    asked = 0

    async def counting(_runtime: Runtime) -> None:
        nonlocal asked
        asked += 1

    app, _ = shop_app(runtime, readiness=[counting])
    async with client_of(app) as client:
        await asyncio.gather(*(client.get("/health/ready") for _ in range(50)))

    assert asked == 1


async def test_administrators_see_every_part(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_WITHIN_SECONDS", 0.1)
    parts = [Part("pool", fine), Part("mail", broken), Part("queue", hanging)]
    answer = await answered(runtime, "/health/detailed", health_checks=parts)

    assert answer.json()["status"] == "failing"
    assert {part["name"]: part["status"] for part in answer.json()["parts"]} == {
        "pool": "ok", "mail": "failing", "queue": "failing",
    }  # fmt: skip
    assert "hunter2" not in answer.text


@pytest.mark.bar("ASVS-13.4.5")
async def test_others_see_no_part(client: httpx2.AsyncClient) -> None:
    for headers, status in (({}, 401), ({"Authorization": "Bearer ada"}, 403)):
        assert (await client.get("/health/detailed", headers=headers)).status_code == status
