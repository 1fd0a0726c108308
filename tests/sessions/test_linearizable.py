"""P34, a sample: sessions on two nodes behave as if there were one, whatever runs at the same time.

Each history has refreshers, callers and one sign-out, spread over two processes' worth of runtimes on one database.
An operation that begins after the sign-out was answered must be refused; one that ended before it began must not be.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx2
import pytest

from portico.app import assemble
from portico.composition import compose, opened
from portico.core.settings import Settings
from portico.feature import Feature
from portico.runtime import Runtime
from portico.users.types import Account
from tests.sessions.people import API, SignedInPerson, by_cookie, refresh, sign_in, sign_in_by_page

pytestmark = pytest.mark.anyio

HISTORIES = 6


@dataclass(frozen=True, slots=True)
class Operation:
    kind: str
    began: float
    ended: float
    succeeded: bool


@pytest.fixture
async def nodes(
    settings: Settings, features: Sequence[Feature], runtime: Runtime, client: httpx2.AsyncClient
) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Two nodes on one database, each with caches and a log follower of its own."""
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(opened(compose(settings, features)))
        transport = httpx2.ASGITransport(app=assemble(other), raise_app_exceptions=False)
        yield [
            client,
            await stack.enter_async_context(
                httpx2.AsyncClient(transport=transport, base_url=settings.public_url)
            ),
        ]


@pytest.fixture
def clock() -> None:
    """Let time pass by itself: the nodes' leases are about real seconds."""
    return


@pytest.mark.bar("P34", "P6", "ASVS-7.4.1", "CHECK-3")
async def test_sign_out_is_linearizable_on_two_nodes(nodes: list[httpx2.AsyncClient], ada: Account) -> None:
    for seed in range(HISTORIES):
        person = await sign_in(nodes[0])
        history = await _history(random.Random(seed), nodes, person)

        [out] = [each for each in history if each.kind == "logout"]
        assert out.succeeded
        for each in history:
            if each.began > out.ended:
                assert not each.succeeded, (seed, each, out)
            if each.ended < out.began:
                assert each.succeeded, (seed, each, out)


async def _history(
    chance: random.Random, nodes: list[httpx2.AsyncClient], person: SignedInPerson
) -> list[Operation]:
    loop, history = asyncio.get_running_loop(), list[Operation]()
    newest = [person.refresh_token]

    async def note(kind: str, request: "asyncio.Future[httpx2.Response] | object") -> httpx2.Response:
        began = loop.time()
        answer: httpx2.Response = await request  # type: ignore[misc]
        history.append(Operation(kind, began, loop.time(), answer.status_code < 300))
        return answer

    async def call(node: httpx2.AsyncClient) -> None:
        for _ in range(12):
            await note("call", SignedInPerson(node, person.access_token, "").who_am_i())
            await asyncio.sleep(chance.uniform(0, 0.01))

    async def renew(node: httpx2.AsyncClient) -> None:
        for _ in range(5):
            answer = await note("refresh", refresh(node, newest[0]))
            if answer.status_code == 200:
                newest[0] = answer.json()["refresh_token"]
            await asyncio.sleep(chance.uniform(0, 0.02))

    async def log_out(node: httpx2.AsyncClient) -> None:
        await asyncio.sleep(chance.uniform(0.01, 0.06))
        await note("logout", SignedInPerson(node, person.access_token, "").request("POST", "/auth/logout"))

    async with asyncio.TaskGroup() as group:
        for node in nodes:
            group.create_task(call(node))
        # One refresher: two that hold each other's ancestors would be a replay, which is another test.
        group.create_task(renew(nodes[chance.randrange(2)]))
        group.create_task(log_out(nodes[chance.randrange(2)]))
    return history


@pytest.mark.bar("CHECK-3", "P6", "ASVS-7.4.1")
async def test_what_one_node_ended_the_other_refuses_at_once(
    nodes: list[httpx2.AsyncClient], runtime: Runtime, ada: Account
) -> None:
    here, there = nodes
    person, cookie = await sign_in(here), await sign_in_by_page(runtime)
    elsewhere = SignedInPerson(there, person.access_token, person.refresh_token)
    assert (await elsewhere.who_am_i()).status_code == 200
    assert (await by_cookie(there, cookie)).status_code == 200

    assert (await person.request("POST", "/auth/logout-all")).status_code == 204

    assert (await elsewhere.who_am_i()).status_code == 401
    assert (await elsewhere.refresh()).status_code == 401
    assert (await by_cookie(there, cookie)).status_code == 401


@pytest.mark.bar("P5", "CHECK-8")
async def test_racers_on_two_nodes_get_one_child(nodes: list[httpx2.AsyncClient], ada: Account) -> None:
    person = await sign_in(nodes[0])

    answers = await asyncio.gather(*(refresh(node, person.refresh_token) for node in nodes * 5))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    child = answers[0].json()
    fresh = SignedInPerson(nodes[1], child["access_token"], child["refresh_token"])
    assert (await fresh.request("GET", "/auth/sessions")).status_code == 200
    assert (await nodes[1].get(f"{API}/users/me")).status_code == 401
