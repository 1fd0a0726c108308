"""Relying parties hear from us that somebody signed out (Back-Channel Logout 1.0)."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qs

import pytest

from portico.core.ids import SessionId
from portico.messaging import Jobs, JobStatus
from portico.sessions.services import Sessions
from portico.sessions.types import SessionEnd
from portico.testing.jobs import run_due_jobs
from portico.testing.sinks import HttpSink, answering, hanging
from portico.users.services import Users
from tests.oauth.kit import House, TestClient, claims_of
from tests.oauth.presenting import told, verified

pytestmark = pytest.mark.anyio

EVENT = "http://schemas.openid.net/event/backchannel-logout"
JOB = "oauth.tell_signed_out"
LASTING_OUTBOUND = {"allow_loopback": True}
NUMBERS = count()


@pytest.fixture
async def house(lasting_house: House) -> House:
    """The house of the module, in which Ada is somebody new each time."""
    lasting_house.people["ada"] = await lasting_house.person(f"ada{next(NUMBERS)}")
    return lasting_house


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with HttpSink() as sink:
        yield sink


async def client_at(house: House, sink: HttpSink, **members: Any) -> TestClient:
    """Register a client that wants to hear."""
    return await house.client(backchannel_logout_uri=sink.url, **members)


async def sign_out(house: House, person: str = "ada") -> None:
    """Sign out in the browser."""
    page = await house.get("/account", person)
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = await house.http.post(
        "/logout", data={"csrf_token": token}, headers=house.cookie(person), follow_redirects=False
    )
    assert answer.status_code == 303, answer.text


def tokens_of(sink: HttpSink) -> list[str]:
    """Return the logout tokens that arrived."""
    bodies = [parse_qs(each.body.decode(), strict_parsing=True) for each in sink.received]
    assert all(body.keys() == {"logout_token"} for body in bodies)
    return [body["logout_token"][0] for body in bodies]


@pytest.mark.bar("A27-27.1")
async def test_each_client_of_the_session_gets_a_token_of_its_own(house: House, sink: HttpSink) -> None:
    first = await client_at(house, sink)
    second = await client_at(house, sink, id_token_signed_response_alg="ES256", subject_type="pairwise")
    silent = await house.client()
    tokens = {client.client_id: await house.tokens(client) for client in (first, second, silent)}
    await house.tokens(first)  # a second grant in the same session is no second message
    await house.tokens(first, "bob")

    await sign_out(house)
    house.clock.advance(timedelta(minutes=3))  # the token is made when it is sent
    await run_due_jobs(house.runtime)

    now = int(house.clock.now().timestamp())
    arrived = {claims_of(token)["aud"]: await verified(house, token) for token in tokens_of(sink)}
    assert arrived.keys() == {first.client_id, second.client_id}
    assert len(sink.received) == 2
    for client, algorithm in ((first, "RS256"), (second, "ES256")):
        header, claims = arrived[client.client_id]
        hinted = claims_of(tokens[client.client_id]["id_token"])
        assert (header["typ"], header["alg"]) == ("logout+jwt", algorithm)
        assert claims.pop("jti")
        assert claims == {
            "iss": "http://localhost:8000",
            "aud": client.client_id,
            "sub": hinted["sub"],
            "sid": hinted["sid"],
            "iat": now,
            "exp": now + 120,
            "events": {EVENT: {}},
        }
    for request in sink.received:
        assert (request.method, request.headers["content-type"]) == (
            "POST",
            "application/x-www-form-urlencoded",
        )
    assert (await told(house, tokens[silent.client_id]["access_token"])).status_code == 401


async def deactivate(house: House) -> None:
    await Users(house.runtime, house.runtime.unit()).deactivate_user(house.people["ada"].id)


async def delete(house: House) -> None:
    await Users(house.runtime, house.runtime.unit()).delete_account(house.people["ada"].id)


async def sign_out_everywhere(house: House) -> None:
    await house.http.post("/api/v1/auth/logout-all", headers=house.people["ada"].bearer)


async def end_by_administrator(house: House) -> None:
    await Sessions(house.runtime, house.runtime.unit()).end_sessions_of(
        house.people["ada"].id, SessionEnd.REVOKED
    )


async def sign_out_by_client(house: House) -> None:
    client = await house.client()
    hint = (await house.tokens(client))["id_token"]
    answer = await house.get(f"/oauth/logout?id_token_hint={hint}")
    assert answer.status_code == 200


type Act = Callable[[House], Awaitable[None]]
ACTS: tuple[Act, ...] = (deactivate, delete, sign_out_everywhere, end_by_administrator, sign_out_by_client)


@pytest.mark.bar("A27-27.1", "CHECK-3")
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
async def test_whatever_ends_a_session_is_told(house: House, sink: HttpSink, act: Act) -> None:
    client = await client_at(house, sink)
    sid = claims_of((await house.tokens(client))["id_token"])["sid"]

    await act(house)
    await run_due_jobs(house.runtime)

    assert [claims_of(token)["sid"] for token in tokens_of(sink)] == [sid]


@pytest.mark.bar("A27-27.1")
async def test_a_session_that_goes_on_is_told_of_to_nobody(house: House, sink: HttpSink) -> None:
    client = await client_at(house, sink)
    await house.tokens(client)
    own = SessionId(house.people["ada"].opened.session.id)  # that of the API, in which nothing was granted

    await Sessions(house.runtime, house.runtime.unit()).log_out(house.people["ada"].id, own)
    await run_due_jobs(house.runtime)

    assert sink.received == []


@pytest.mark.bar("A27-27.1")
async def test_it_is_tried_again_for_an_hour_and_given_up(house: House, sink: HttpSink) -> None:
    client = await client_at(house, sink)
    await house.tokens(client)
    sink.behaviour = answering(503)
    began = house.clock.now()

    await sign_out(house)
    await run_due_jobs(house.runtime)
    assert len(sink.received) == 1
    jobs = house.runtime.get(Jobs)
    while (await jobs.list_newest(name=JOB, limit=1))[0].status is JobStatus.QUEUED:
        house.clock.advance(timedelta(minutes=10))
        await run_due_jobs(house.runtime)

    [view] = await jobs.list_newest(name=JOB, limit=1)
    assert view.status is JobStatus.DEAD
    assert view.last_error == "the client answered with status 503"
    assert len({claims_of(token)["jti"] for token in tokens_of(sink)}) == len(sink.received) == 12
    assert timedelta(minutes=45) < house.clock.now() - began < timedelta(hours=3)


@pytest.mark.bar("A27-27.1")
@pytest.mark.parametrize("status", [200, 204])
async def test_it_is_told_once_where_the_client_takes_it(house: House, sink: HttpSink, status: int) -> None:
    client = await client_at(house, sink)
    await house.tokens(client)
    sink.behaviour = answering(400)
    await sign_out(house)
    await run_due_jobs(house.runtime)
    sink.behaviour = answering(status)

    for _ in range(3):
        house.clock.advance(timedelta(minutes=10))
        await run_due_jobs(house.runtime)

    assert len(sink.received) == 2


@pytest.mark.bar("A27-27.1", "CHECK-16")
async def test_who_signs_out_waits_for_nobody(house: House, sink: HttpSink) -> None:
    client = await client_at(house, sink)
    await house.tokens(client)
    sink.behaviour = hanging()

    await sign_out(house)
    assert sink.connections == 0  # nothing is sent while somebody waits for the answer
    began = time.monotonic()
    async with asyncio.timeout(20):
        await run_due_jobs(house.runtime)

    assert time.monotonic() - began < 9
    [view] = await house.runtime.get(Jobs).list_newest(name=JOB, limit=1)
    assert view.status is JobStatus.QUEUED
    assert view.last_error is not None
    assert "gave no answer" in view.last_error
