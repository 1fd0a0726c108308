"""Pages and cursors over real tables."""

from collections.abc import AsyncIterator
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Query
from sqlalchemy import func, select

from portico.http.access import public
from portico.http.dependencies import RuntimeDep
from portico.http.pagination import Cursors, Ordering, Page, PageQuery, Sortable, fetch_page
from portico.http.schemas import ResponseModel
from portico.runtime import Runtime
from tests.http.shop import client_of, shop_app
from tests.http.stored.conftest import Note

PATH = "/api/v1/notes"
COUNT = 57


class NoteSort(StrEnum):
    """What notes may be sorted by."""

    AT = "at"
    WEIGHT = "weight"
    TEXT = "text"


class NoteQuery(PageQuery):
    """Which notes."""

    sort_by: NoteSort = NoteSort.AT
    weight: Annotated[int, Query(ge=0, le=9)] | None = None


class NoteAnswer(ResponseModel):
    """A note."""

    text: str


router = APIRouter()
COLUMNS: dict[NoteSort, Sortable] = {
    NoteSort.AT: Note.at,
    NoteSort.WEIGHT: Note.weight,
    NoteSort.TEXT: func.lower(Note.text),
}


@router.get("/notes", dependencies=[Depends(public)])
async def list_notes(query: Annotated[NoteQuery, Query()], runtime: RuntimeDep) -> Page[NoteAnswer]:
    statement = select(Note)
    if query.weight is not None:
        statement = statement.where(Note.weight == query.weight)
    if query.q is not None:
        statement = statement.where(Note.text.contains(query.q, autoescape=True))
    ordering = Ordering(COLUMNS[query.sort_by], Note.id, descending=query.descending)
    async with runtime.reads() as session:
        page = await fetch_page(
            session,
            statement,
            query=query,
            ordering=ordering,
            cursors=Cursors.of(runtime),
            route="GET /notes",
        )
    return page.to_page(NoteAnswer.model_validate)


@pytest.fixture
async def app(runtime: Runtime) -> FastAPI:
    async with runtime.unit() as unit:
        start = runtime.clock.now()
        unit.session.add_all(
            Note(text=f"note {number:02}", weight=number % 3, at=start + timedelta(seconds=number // 2))
            for number in range(COUNT)
        )
    return shop_app(runtime, routers=[router])[0]


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def test_first_page_tells_the_total(client: httpx2.AsyncClient) -> None:
    answer = (await client.get(PATH)).json()

    cursor = answer["pagination"].pop("next_cursor")
    assert cursor
    assert answer["pagination"] == {
        "total": COUNT, "page": 1, "page_size": 20, "total_pages": 3, "has_next": True, "has_prev": False,
    }  # fmt: skip
    assert len(answer["data"]) == 20


async def test_last_page_has_no_next(client: httpx2.AsyncClient) -> None:
    answer = (await client.get(PATH, params={"page": 3})).json()

    assert len(answer["data"]) == 17
    assert answer["pagination"]["has_next"] is False
    assert answer["pagination"]["has_prev"] is True
    assert answer["pagination"]["next_cursor"] is None


async def test_page_beyond_the_end_is_empty(client: httpx2.AsyncClient) -> None:
    answer = (await client.get(PATH, params={"page": 9})).json()

    assert answer["data"] == []
    assert answer["pagination"]["total"] == COUNT


@pytest.mark.parametrize("sort_by", list(NoteSort))
@pytest.mark.parametrize("sort_order", ["asc", "desc"])
async def test_walk_by_cursor_meets_every_row_once_in_order(
    client: httpx2.AsyncClient, sort_by: str, sort_order: str
) -> None:
    params = {"sort_by": sort_by, "sort_order": sort_order, "page_size": "10"}
    whole = (await client.get(PATH, params={**params, "page_size": "100"})).json()["data"]
    walked, cursor = [], None
    while True:
        answer = (await client.get(PATH, params={**params, **({"cursor": cursor} if cursor else {})})).json()
        walked += answer["data"]
        cursor = answer["pagination"]["next_cursor"]
        if cursor is None:
            break
        assert answer["pagination"]["has_next"] is True

    assert walked == whole
    assert len({note["text"] for note in walked}) == COUNT


async def test_walk_by_cursor_does_not_stumble_over_new_rows(
    client: httpx2.AsyncClient, runtime: Runtime
) -> None:
    first = (await client.get(PATH, params={"page_size": 50})).json()
    async with runtime.unit() as unit:
        unit.session.add(Note(text="early", at=runtime.clock.now() - timedelta(days=1)))
    rest = (
        await client.get(PATH, params={"page_size": 50, "cursor": first["pagination"]["next_cursor"]})
    ).json()

    assert [note["text"] for note in rest["data"]] == [f"note {number:02}" for number in range(50, COUNT)]
    assert rest["pagination"] == {
        "total": None, "page": None, "page_size": 50, "total_pages": None, "has_next": False, "has_prev": True,
        "next_cursor": None,
    }  # fmt: skip


async def test_filter_and_search_hold_on_every_page(client: httpx2.AsyncClient) -> None:
    params = {"weight": "1", "page_size": "10"}
    first = (await client.get(PATH, params=params)).json()
    second = (await client.get(PATH, params={**params, "cursor": first["pagination"]["next_cursor"]})).json()

    assert first["pagination"]["total"] == 19
    assert len(first["data"] + second["data"]) == 19
    assert (await client.get(PATH, params={"q": "note 1"})).json()["pagination"]["total"] == 10
    assert (await client.get(PATH, params={"q": "%"})).json()["pagination"]["total"] == 0


@pytest.mark.parametrize(
    "other",
    [{"sort_order": "desc"}, {"sort_by": "text"}, {"weight": "1"}, {"q": "note"}],
    ids=["order", "column", "filter", "search"],
)
@pytest.mark.bar("CHECK-19", "CVE-2026-33503", "ASVS-1.2.4")
async def test_cursor_of_another_list_is_refused(client: httpx2.AsyncClient, other: dict[str, str]) -> None:
    cursor = (await client.get(PATH)).json()["pagination"]["next_cursor"]
    answer = await client.get(PATH, params={"cursor": cursor, **other})

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")


@pytest.mark.bar("CHECK-19", "CVE-2026-33503", "CVE-2026-27840")
async def test_changed_cursor_is_refused(client: httpx2.AsyncClient) -> None:
    cursor = (await client.get(PATH)).json()["pagination"]["next_cursor"]
    forged = [
        cursor[:-1],
        cursor + "A",
        cursor[1:],
        cursor[:10] + ("A" if cursor[10] != "A" else "B") + cursor[11:],
    ]
    for text in [*forged, "A", "é", "' OR 1=1 --", "eyJhIjoxfQ", "AQ" * 40, cursor + "=", cursor + "\n"]:
        answer = await client.get(PATH, params={"cursor": text})

        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize(
    "params",
    [
        {"page": "0"}, {"page": "-1"}, {"page": "x"}, {"page": "1e3"}, {"page": str(2**64)}, {"page_size": "0"},
        {"page_size": "101"}, {"sort_by": "password"}, {"sort_by": "at; DROP TABLE x"}, {"sort_by": "at,text"},
        {"sort_order": "up"}, {"q": ""}, {"q": "a" * 201}, {"cursor": ""}, {"cursor": "a" * 1025}, {"unknown": "1"},
        {"weight": "10"}, {"weight": "NaN"}, {"q": "a\x00"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.bar("CHECK-19", "ASVS-1.2.4", "ASVS-2.2.1", "ASVS-1.4.2")
async def test_query_outside_of_the_list_of_what_is_allowed_gets_422(
    client: httpx2.AsyncClient, params: dict[str, str]
) -> None:
    answer = await client.get(PATH, params=params)

    assert answer.status_code == 422
