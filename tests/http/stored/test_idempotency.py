"""A write that is sent again: one effect, one answer, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy import func, select, text
from starlette.responses import JSONResponse, Response

from portico.core import failpoints
from portico.core.errors import Conflict, Forbidden
from portico.http.access import public
from portico.http.dependencies import MaybePrincipalDep, RuntimeDep, UnitDep
from portico.http.idempotency import sweep_answers
from portico.http.markers import without_idempotency
from portico.http.models import IdempotentAnswer
from portico.http.schemas import RequestModel, ResponseModel
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.jobs import do_job
from tests.http.shop import client_of, shop_app
from tests.http.stored.conftest import Note

PATH = "/api/v1/notes"
KEY = {"Idempotency-Key": "0123456789abcdef"}
ADA, BOB = ({"Authorization": f"Bearer {name}", **KEY} for name in ("ada", "bob"))


class NoteRequest(RequestModel):
    """A note to write."""

    text: str


class NoteAnswer(ResponseModel):
    """A note, by its number."""

    number: int
    text: str


class Refused(Forbidden):
    """Refused, and nothing kept."""

    code = "refused"


class RefusedAndKept(Conflict):
    """Refused, and what was written stays."""

    code, persist = "refused_and_kept", True


router = APIRouter()


async def write(body: NoteRequest, runtime: Runtime, unit: Any) -> NoteAnswer:
    async with unit:
        unit.session.add(Note(text=body.text, at=runtime.clock.now()))
        await unit.session.flush()
        number = (await unit.session.execute(select(func.count(Note.id)))).scalar_one()
    return NoteAnswer(number=number, text=body.text)


@router.post("/notes", dependencies=[Depends(public)], status_code=201)
async def create_note(
    body: NoteRequest, runtime: RuntimeDep, unit: UnitDep, who: MaybePrincipalDep, response: Response
) -> NoteAnswer:
    answer = await write(body, runtime, unit)
    response.headers["Location"] = f"/notes/{answer.number}"
    response.headers["X-Own"] = "not kept"
    return answer


@router.post("/notes/{name}", dependencies=[Depends(public)])
async def create_named(name: str, body: NoteRequest, runtime: RuntimeDep, unit: UnitDep) -> NoteAnswer:
    return await write(body, runtime, unit)


@router.post("/refused", dependencies=[Depends(public)])
async def refuse(body: NoteRequest, runtime: RuntimeDep, unit: UnitDep) -> NoteAnswer:
    async with unit:
        unit.session.add(Note(text=body.text, at=runtime.clock.now()))
        if body.text == "refuse":
            raise Refused
        if body.text == "keep":
            raise RefusedAndKept
    return NoteAnswer(number=0, text=body.text)


@router.post("/failing", dependencies=[Depends(public)])
async def fail(body: NoteRequest, runtime: RuntimeDep, unit: UnitDep) -> NoteAnswer:
    await write(body, runtime, unit)
    raise ZeroDivisionError


@router.post("/cookie", dependencies=[Depends(public)])
async def set_cookie(body: NoteRequest, runtime: RuntimeDep, unit: UnitDep) -> JSONResponse:
    await write(body, runtime, unit)
    response = JSONResponse({})
    response.set_cookie("portico_session", "secret")
    return response


@router.post("/excluded", dependencies=[Depends(public), Depends(without_idempotency)])
async def excluded(body: NoteRequest, runtime: RuntimeDep, unit: UnitDep) -> NoteAnswer:
    return await write(body, runtime, unit)


@router.post("/nothing", dependencies=[Depends(public)])
async def nothing(body: NoteRequest) -> NoteAnswer:
    return NoteAnswer(number=0, text=body.text)


@pytest.fixture
def app(runtime: Runtime) -> FastAPI:
    return shop_app(runtime, routers=[router])[0]


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def notes(runtime: Runtime) -> int:
    async with runtime.reads() as session:
        return int((await session.execute(select(func.count(Note.id)))).scalar_one())


async def kept(runtime: Runtime) -> list[IdempotentAnswer]:
    async with runtime.reads() as session:
        return list((await session.execute(select(IdempotentAnswer))).scalars())


@pytest.mark.parametrize("headers", [KEY, ADA], ids=["anonymous", "signed in"])
@pytest.mark.bar("P4")
async def test_write_sent_again_has_one_effect_and_one_answer(
    client: httpx2.AsyncClient, runtime: Runtime, headers: dict[str, str]
) -> None:
    first, *others = [await client.post(PATH, json={"text": "tea"}, headers=headers) for _ in range(3)]

    assert await notes(runtime) == 1
    assert first.status_code == 201
    assert "idempotency-replayed" not in first.headers
    for other in others:
        assert (other.status_code, other.json()) == (201, first.json())
        assert other.headers["idempotency-replayed"] == "true"
        assert other.headers["location"] == first.headers["location"]
        assert other.headers["content-type"] == "application/json"
        assert other.headers["x-request-id"] != first.headers["x-request-id"]
        assert other.headers["cache-control"] == "no-store"
        assert "x-own" not in other.headers


async def test_without_a_key_each_write_has_its_effect(client: httpx2.AsyncClient, runtime: Runtime) -> None:
    for _ in range(2):
        await client.post(PATH, json={"text": "tea"})

    assert await notes(runtime) == 2


@pytest.mark.bar("P4")
async def test_key_of_another_request_is_refused(client: httpx2.AsyncClient, runtime: Runtime) -> None:
    await client.post(PATH, json={"text": "tea"}, headers=ADA)

    other_body = await client.post(PATH, json={"text": "milk"}, headers=ADA)
    other_query = await client.post(PATH + "?x=1", json={"text": "tea"}, headers=ADA)

    for answer in (other_body, other_query):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert await notes(runtime) == 1


async def test_same_key_on_another_path_of_the_route_is_another_request(client: httpx2.AsyncClient) -> None:
    await client.post(PATH + "/a", json={"text": "tea"}, headers=ADA)
    answer = await client.post(PATH + "/b", json={"text": "tea"}, headers=ADA)

    assert answer.json()["code"] == "idempotency_key_reused"


@pytest.mark.bar("P4")
async def test_nobody_gets_the_answer_of_another(client: httpx2.AsyncClient, runtime: Runtime) -> None:
    first = await client.post(PATH, json={"text": "tea"}, headers=ADA)
    other = await client.post(PATH, json={"text": "tea"}, headers=BOB)
    anonymous = await client.post(PATH, json={"text": "tea"}, headers=KEY)

    assert [answer.json()["number"] for answer in (first, other, anonymous)] == [1, 2, 3]


async def test_anonymous_callers_with_one_key_and_other_bodies_do_not_meet(
    client: httpx2.AsyncClient,
) -> None:
    answers = [await client.post(PATH, json={"text": text}, headers=KEY) for text in ("tea", "milk", "tea")]

    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert ["idempotency-replayed" in answer.headers for answer in answers] == [False, False, True]


@pytest.mark.parametrize("key", ["", "short", "a" * 256, "kéy-0123456789abcdef", "tab\tin-0123456789abcdef"])
async def test_key_that_cannot_be_used_is_refused(
    client: httpx2.AsyncClient, runtime: Runtime, key: str
) -> None:
    answer = await client.post(
        PATH, json={"text": "tea"}, headers=[(b"Idempotency-Key", key.encode("latin-1"))]
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
    assert await notes(runtime) == 0


async def test_short_key_is_good_enough_for_a_signed_in_caller(
    client: httpx2.AsyncClient, runtime: Runtime
) -> None:
    for _ in range(2):
        await client.post(PATH, json={"text": "tea"}, headers={**ADA, "Idempotency-Key": "1"})

    assert await notes(runtime) == 1


async def test_refusal_that_wrote_nothing_may_be_tried_again(
    client: httpx2.AsyncClient, runtime: Runtime
) -> None:
    first = await client.post("/api/v1/refused", json={"text": "refuse"}, headers=ADA)
    second = await client.post("/api/v1/refused", json={"text": "go"}, headers=ADA)

    assert (first.status_code, second.status_code) == (403, 200)
    assert await notes(runtime) == 1


async def test_kept_refusal_is_written_and_not_replayed(client: httpx2.AsyncClient, runtime: Runtime) -> None:
    for _ in range(2):
        answer = await client.post("/api/v1/refused", json={"text": "keep"}, headers=ADA)

        assert answer.status_code == 409
    assert await notes(runtime) == 2
    assert await kept(runtime) == []


async def test_malformed_request_is_not_kept(client: httpx2.AsyncClient) -> None:
    first = await client.post(PATH, json={"txt": "tea"}, headers=ADA)
    second = await client.post(PATH, json={"text": "tea"}, headers=ADA)

    assert (first.status_code, second.status_code) == (422, 201)


async def test_failure_after_the_write_leaves_nothing(client: httpx2.AsyncClient, runtime: Runtime) -> None:
    answer = await client.post("/api/v1/failing", json={"text": "tea"}, headers=ADA)

    assert answer.status_code == 500
    assert await notes(runtime) == 0
    assert await kept(runtime) == []


@pytest.mark.bar("P4", "P3")
async def test_failing_commit_is_answered_as_failure_and_may_be_tried_again(
    client: httpx2.AsyncClient, runtime: Runtime
) -> None:
    failpoints.armed["db.unit.before_commit"] = failpoints.raising()
    try:
        first = await client.post(PATH, json={"text": "tea"}, headers=ADA)
    finally:
        failpoints.armed.clear()
    second = await client.post(PATH, json={"text": "tea"}, headers=ADA)

    assert (first.status_code, second.status_code) == (500, 201)
    assert await notes(runtime) == 1


@pytest.mark.bar("P4")
async def test_answer_lost_after_the_commit_is_given_again(
    client: httpx2.AsyncClient, runtime: Runtime
) -> None:
    failpoints.armed["db.unit.after_commit"] = failpoints.raising()
    try:
        first = await client.post(PATH, json={"text": "tea"}, headers=ADA)
    finally:
        failpoints.armed.clear()

    assert (first.status_code, first.headers["idempotency-replayed"]) == (201, "true")
    assert await notes(runtime) == 1


@pytest.mark.bar("P4", "CHECK-12")
@pytest.mark.parametrize("delay", [0, 0.01])
async def test_racers_with_one_key_have_one_effect(
    client: httpx2.AsyncClient, runtime: Runtime, delay: float
) -> None:
    if delay:
        failpoints.armed["db.unit.before_commit"] = failpoints.delaying(delay)
    try:
        answers = await asyncio.gather(
            *(client.post(PATH, json={"text": "tea"}, headers=ADA) for _ in range(12))
        )
    finally:
        failpoints.armed.clear()

    assert await notes(runtime) == 1
    assert {answer.status_code for answer in answers} == {201}
    assert {answer.json()["number"] for answer in answers} == {1}
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 11


async def test_answer_is_forgotten_after_a_day(
    client: httpx2.AsyncClient, runtime: Runtime, clock: FrozenClock
) -> None:
    await client.post(PATH, json={"text": "tea"}, headers=ADA)
    clock.advance(timedelta(hours=24))
    answer = await client.post(PATH, json={"text": "tea"}, headers=ADA)

    assert answer.json()["number"] == 2
    assert len(await kept(runtime)) == 1


async def test_sweep_deletes_what_has_expired(
    client: httpx2.AsyncClient, runtime: Runtime, clock: FrozenClock
) -> None:
    await client.post(PATH, json={"text": "old"}, headers=ADA)
    clock.advance(timedelta(hours=24))
    await client.post(PATH, json={"text": "new"}, headers=BOB)
    await do_job(runtime, sweep_answers)

    assert len(await kept(runtime)) == 1


async def test_answer_that_sets_a_cookie_is_given_once(client: httpx2.AsyncClient, runtime: Runtime) -> None:
    for _ in range(2):
        answer = await client.post("/api/v1/cookie", json={"text": "tea"}, headers=ADA)

        assert "set-cookie" in answer.headers
    assert await kept(runtime) == []
    assert await notes(runtime) == 2


@pytest.mark.parametrize("path", ["/api/v1/excluded", "/api/v1/nothing"])
async def test_excluded_and_writeless_routes_keep_nothing(
    client: httpx2.AsyncClient, runtime: Runtime, path: str
) -> None:
    for _ in range(2):
        answer = await client.post(path, json={"text": "tea"}, headers=ADA)

        assert "idempotency-replayed" not in answer.headers
    assert await kept(runtime) == []


@pytest.mark.bar("CHECK-23", "ASVS-11.3.3")
async def test_table_alone_opens_nothing(client: httpx2.AsyncClient, runtime: Runtime) -> None:
    await client.post(PATH, json={"text": "canary-in-the-answer"}, headers=ADA)
    (row,) = await kept(runtime)

    assert b"canary" not in row.sealed_answer
    assert b"0123456789abcdef" not in row.id + row.sealed_answer + row.request_hash


async def test_answer_moved_to_another_key_does_not_open(
    client: httpx2.AsyncClient, runtime: Runtime
) -> None:
    await client.post(PATH, json={"text": "tea"}, headers=ADA)
    await client.post(PATH, json={"text": "tea"}, headers=BOB)
    async with runtime.unit() as unit:
        await unit.session.execute(
            text(
                "UPDATE portico_idempotent_answers SET sealed_answer = "
                "(SELECT max(other.sealed_answer) FROM portico_idempotent_answers AS other)"
            )
        )
    answers = [await client.post(PATH, json={"text": "tea"}, headers=who) for who in (ADA, BOB)]

    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert await notes(runtime) == 2
