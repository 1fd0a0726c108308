"""Two nodes whose clocks differ: up to a minute nobody is wrongly refused; what is over is over on both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from portico.app import assemble, default_features
from portico.composition import compose, opened
from portico.core.settings import Settings
from portico.runtime import Runtime
from portico.testing.clock import START, FrozenClock
from tests.sessions.people import API, FAST_HASHES, PASSWORD, add_person, log_in, refresh

pytestmark = [pytest.mark.anyio, pytest.mark.bar("P21")]

within = pytest.mark.parametrize("skew", [-60, 60])


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": FAST_HASHES}


@pytest.fixture
async def nodes(runtime: Runtime, settings: Settings, skew: float) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """The first node's clock is right, the second one's is wrong by `skew` seconds."""
    clock = FrozenClock(START + timedelta(seconds=skew))
    async with (
        opened(compose(settings, default_features(), clock=clock)) as wrong,
        client_of(runtime) as first,
        client_of(wrong) as second,
    ):
        yield [first, second]


@asynccontextmanager
async def client_of(runtime: Runtime) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=assemble(runtime))
    async with httpx2.AsyncClient(transport=transport, base_url=runtime.settings.public_url) as client:
        yield client


async def who_am_i(node: httpx2.AsyncClient, token: str) -> int:
    node.cookies.clear()
    return (await node.get(f"{API}/users/me", headers={"Authorization": f"Bearer {token}"})).status_code


@within
async def test_whom_one_node_lets_in_no_other_refuses(
    runtime: Runtime, nodes: list[httpx2.AsyncClient]
) -> None:
    await add_person(runtime, "ada@example.org")
    statuses: list[int] = []
    for here, there in (nodes, nodes[::-1]):
        answer = (await log_in(here)).json()
        statuses.append(await who_am_i(there, answer["access_token"]))
        for node in (there, here, there):
            renewed = await refresh(node, answer["refresh_token"])
            assert renewed.status_code == 200, renewed.text
            answer = renewed.json()
            statuses += [await who_am_i(each, answer["access_token"]) for each in nodes]

    assert set(statuses) == {200}


@within
async def test_what_one_node_ends_no_other_believes(
    runtime: Runtime, nodes: list[httpx2.AsyncClient]
) -> None:
    await add_person(runtime, "ada@example.org")
    for here, there in (nodes, nodes[::-1]):
        answer = (await log_in(here)).json()
        token = {"Authorization": f"Bearer {answer['access_token']}"}
        assert await who_am_i(there, answer["access_token"]) == 200
        assert (await there.post(f"{API}/auth/logout", headers=token)).status_code in {200, 204}

        assert [await who_am_i(node, answer["access_token"]) for node in (here, there)] == [401, 401]
        assert (await refresh(here, answer["refresh_token"])).status_code == 401


@pytest.mark.parametrize("skew", [-180, -90])
async def test_token_from_too_far_ahead_is_refused_until_its_time_has_come(
    runtime: Runtime, nodes: list[httpx2.AsyncClient], skew: float
) -> None:
    """The second node is behind: what the first one signed lies in its future."""
    await add_person(runtime, "ada@example.org")
    answer = (await log_in(nodes[0])).json()

    assert await who_am_i(nodes[1], answer["access_token"]) == 401
    assert (await log_in(nodes[1], password=PASSWORD)).status_code == 200  # people can still sign in there
