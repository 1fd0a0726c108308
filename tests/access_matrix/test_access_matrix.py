"""CHECK-1: every route and method against every kind of caller, as `matrix.toml` says; default deny.

The table of routes comes from the running router, the expectations from the file. A route without a row fails, and so
does a row without a route. Every request carries a body that would do what the route is for, and Ada's ids: whoever
is refused has been refused for who he is. What is refused writes nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI

from portico.http.access import public
from portico.http.routing import RouteRow, UndeclaredRoutes, check_routes, route_table
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.access_matrix.scene import Scene
from tests.access_matrix.table import COLUMNS, Row, read_table
from tests.integration.ground import TRACES, assert_problem, assert_protocol_error, stored
from tests.sessions.people import FAST_HASHES

pytestmark = pytest.mark.anyio

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def needs_of(app: FastAPI) -> dict[str, str]:
    """Return what each route of the router asks for, by `METHOD path`; of two with one name, the first answers."""
    found: dict[str, str] = {}
    for row in route_table(app):
        found.setdefault(_name(row), " ".join(sorted(row.access)))
    return found


def _name(row: RouteRow) -> str:
    return f"{row.method} {row.path}"


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": FAST_HASHES, "logging": {"access": False}}


@pytest.fixture
async def scene(runtime: Runtime, clock: FrozenClock) -> Scene:
    return await Scene.made(runtime, clock)


@pytest.mark.bar("CHECK-1", "ASVS-8.1.1", "T8")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_every_route_has_a_row_and_every_row_a_route(app: FastAPI) -> None:
    declared = {name: row.needs for name, row in read_table().items()}

    assert declared == needs_of(app)


@pytest.mark.bar("CHECK-1", "CHECK-2", "CHECK-18", "ASVS-8.2.1", "ASVS-8.2.2", "ASVS-3.5.1", "CVE-2026-55106")
@pytest.mark.timeout(240)
@pytest.mark.parametrize("column", COLUMNS)
async def test_everybody_gets_what_the_table_says(
    app: FastAPI, client: httpx2.AsyncClient, runtime: Runtime, scene: Scene, column: str
) -> None:
    of_protocol = {_name(row) for row in route_table(app) if row.entry.is_open_to_clients}
    refused = await refused_cells(client, runtime, scene, column, of_protocol)
    wrong = [*refused, *await let_in_cells(client, scene, column)]

    assert not wrong, "\n".join(["", *wrong])


async def refused_cells(
    client: httpx2.AsyncClient, runtime: Runtime, scene: Scene, column: str, of_protocol: Collection[str]
) -> Sequence[str]:
    """Ask for all that the column is refused; return what was answered or written against the table."""
    rows = [row for row in read_table().values() if row.statuses[column] >= 400]
    requests = [(row, await scene.request(row, column)) for row in rows]
    before = await stored(runtime, but=TRACES)
    wrong = []
    for row, request in requests:
        answer = await client.send(request)
        client.cookies.clear()
        wrong += list(_against(row, column, answer))
        if answer.status_code >= 400 and answer.content and "html" not in answer.headers["content-type"]:
            _assert_refusal(answer, is_of_protocol=row.name in of_protocol)
    after = await stored(runtime, but=TRACES)
    written = [name for name in before if before[name] != after[name]]
    return [*wrong, f"{column}: something refused has written to {written}"] if written else wrong


async def let_in_cells(client: httpx2.AsyncClient, scene: Scene, column: str) -> Sequence[str]:
    """Ask for all that the column may do, each time with people whom nothing has happened to."""
    wrong = []
    for row in read_table().values():
        if row.statuses[column] >= 400:
            continue
        answer = await client.send(await scene.request(row, column))
        client.cookies.clear()
        wrong += list(_against(row, column, answer))
        if row.method in UNSAFE:
            await scene.renew(*scene.spoilt_by(column))
    return wrong


def _against(row: Row, column: str, answer: httpx2.Response) -> Iterator[str]:
    expected = row.statuses[column]
    if answer.status_code != expected:
        yield f"{row.name}: {column} gets {answer.status_code}, not {expected}: {answer.text[:120]}"


def _assert_refusal(answer: httpx2.Response, *, is_of_protocol: bool) -> None:
    """A problem document; at the endpoints of OAuth the shape of RFC 6749, section 5.2."""
    if is_of_protocol:
        assert_protocol_error(answer)
    else:
        assert_problem(answer)


@pytest.mark.bar("CHECK-1", "ASVS-8.2.1")
@pytest.mark.parametrize("database_kind", ["sqlite"])
class TestRouteOfATeamsOwn:
    """The matrix and the start-up notice what was forgotten."""

    async def test_an_undeclared_route_does_not_start(self, app: FastAPI) -> None:
        @app.get("/orders")
        async def list_orders() -> None: ...

        with pytest.raises(UndeclaredRoutes, match="GET /orders"):
            check_routes(app)

    async def test_a_new_route_is_missed_in_the_table(self, app: FastAPI) -> None:
        router = APIRouter()
        router.add_api_route("/orders", _nothing, dependencies=[Depends(public)])
        app.include_router(router)

        missing = needs_of(app).items() - {name: row.needs for name, row in read_table().items()}.items()

        assert missing == {("GET /orders", "public")}


async def _nothing() -> None: ...
