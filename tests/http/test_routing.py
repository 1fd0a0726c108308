"""The table of routes: what it refuses, what it finds, what it costs."""

import string
from typing import Annotated, Any
from uuid import UUID, uuid4

import pytest
from fastapi import APIRouter, Depends, FastAPI
from hypothesis import given, strategies
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Mount, Route

from portico.http.access import Requires, public, requires
from portico.http.application import install_http
from portico.http.authentication import Principal
from portico.http.markers import LimitClass, body_limit, limited, without_idempotency
from portico.http.routing import UndeclaredRoutes, build_route_table, check_routes, declare, route_table
from portico.runtime import Runtime
from tests.http.shop import ShopPermission, client_of, shop_app

Reader = Annotated[Principal, Depends(requires(ShopPermission.READ))]


async def endpoint() -> None:
    """Do nothing."""


async def plain(request: Request) -> Response:
    return PlainTextResponse(f"plain {request.path_params}")


def bare_app(*routers: APIRouter) -> FastAPI:
    app = FastAPI(openapi_url=None)
    for router in routers:
        app.include_router(router, prefix="/api")
    return app


@pytest.mark.bar("CHECK-1")
def test_every_route_that_declares_nothing_is_named() -> None:
    inner, outer = APIRouter(prefix="/inner"), APIRouter(prefix="/outer")
    inner.add_api_route("/a", endpoint, methods=["GET"])
    inner.add_api_route("/ok", endpoint, dependencies=[Depends(public)])
    outer.include_router(inner)
    outer.add_api_route(
        "/both", endpoint, dependencies=[Depends(public), Depends(requires(ShopPermission.READ))]
    )
    app = bare_app(outer)
    app.add_api_route("/direct", endpoint, methods=["POST"])
    app.router.routes.append(Route("/plain", plain))
    app.mount("/mounted", Starlette())

    with pytest.raises(UndeclaredRoutes) as refusal:
        check_routes(app)

    named = " ".join(refusal.value.offenders)
    assert len(refusal.value.offenders) == 5
    for path in ("GET /api/outer/inner/a", "/api/outer/both", "POST /direct", "/plain", "/mounted"):
        assert path in named
    assert "/ok" not in named


@pytest.mark.bar("CHECK-1")
def test_declaration_may_stand_on_the_router_the_route_or_in_a_parameter() -> None:
    closed = APIRouter(prefix="/closed", dependencies=[Depends(requires(ShopPermission.READ))])
    closed.add_api_route("/a", endpoint)
    router = APIRouter(prefix="/r")

    @router.get("/parameter")
    async def parameter(reader: Reader) -> None:
        """Need a right."""

    included = APIRouter()
    included.add_api_route("/b", endpoint)
    app = bare_app(closed, router)
    app.include_router(included, dependencies=[Depends(public)])
    app.router.routes.append(declare(Route("/plain", plain), requires(ShopPermission.READ)))
    app.router.routes.append(declare(Mount("/files", Starlette()), public))

    access = {row.path: row.access for row in route_table(app)}

    assert access["/api/closed/a"] == access["/api/r/parameter"] == access["/plain"] == ("shop:self:read",)
    assert access["/b"] == access["/files"] == ("public",)


def test_table_tells_limit_body_and_idempotency() -> None:
    router = APIRouter(tags=["a"], dependencies=[Depends(public)])
    router.add_api_route("/read", endpoint)
    router.add_api_route("/write", endpoint, methods=["DELETE"])
    router.add_api_route("/login", endpoint, methods=["POST"], dependencies=[Depends(limited("sign_in"))])
    router.add_api_route("/free", endpoint, dependencies=[Depends(limited("none"))])
    router.add_api_route("/file", endpoint, methods=["PUT"], dependencies=[Depends(body_limit(9))])
    router.add_api_route("/refresh", endpoint, methods=["POST"], dependencies=[Depends(without_idempotency)])

    rows = {row.path.removeprefix("/api/"): row for row in route_table(bare_app(router))}

    assert {name: row.limit_class for name, row in rows.items()} == {
        "read": LimitClass.READ, "write": LimitClass.WRITE, "login": LimitClass.SIGN_IN, "free": LimitClass.NONE,
        "file": LimitClass.WRITE, "refresh": LimitClass.WRITE,
    }  # fmt: skip
    assert rows["file"].entry.max_body_bytes == 9
    assert not rows["refresh"].entry.keeps_answers
    assert rows["login"].entry.keeps_answers
    assert rows["read"].tags == ("a",)


async def test_table_is_the_same_after_the_start(runtime: Runtime) -> None:
    app, floor = shop_app(runtime)
    before = [row[:-1] for row in route_table(app)]
    floor.start()

    assert [row[:-1] for row in route_table(app)] == before


# Finding: the same route that Starlette's own router finds.

PATHS = [
    "/users/me", "/users/{id}", "/users/{id}/roles", "/users/{id:int}/roles", "/{any}/me", "/files/{rest:path}",
    "/users", "/users/{id}.json", "/a/{x}/b/{y}", "/a/b/{y}/{x}", "/{x}",
]  # fmt: skip
segment = strategies.sampled_from(
    ["users", "me", "a", "b", "7", "x.json", "files", "roles", "", "%", "ü", "."]
)
route = strategies.tuples(
    strategies.sampled_from(PATHS),
    strategies.sets(strategies.sampled_from(["GET", "POST", "PUT"]), min_size=1),
)


@given(
    routes=strategies.lists(route, min_size=1, max_size=8),
    path=strategies.lists(segment, max_size=5).map(lambda parts: "/" + "/".join(parts)),
    method=strategies.sampled_from(["GET", "POST", "PUT", "DELETE"]),
)
def test_table_finds_what_starlette_finds(routes: list[tuple[str, set[str]]], path: str, method: str) -> None:
    app = FastAPI(openapi_url=None)
    for template, methods in routes:
        app.router.routes.append(declare(Route(template, plain, methods=list(methods)), public))
    expected, params, allowed = starlette_finds(app, method, path)

    found = build_route_table(app).find(method, path)

    assert (found.entry.route if found.entry else None) is expected
    assert dict(found.params) == params
    assert set(found.allowed) - {"HEAD"} == (set() if expected else allowed - {"HEAD"})


def starlette_finds(app: FastAPI, method: str, path: str) -> tuple[Any, dict[str, Any], set[str]]:
    scope = {"type": "http", "path": path, "method": method, "root_path": ""}
    allowed: set[str] = set()
    for candidate in app.router.routes:
        match, child = candidate.matches(scope)
        if match is Match.FULL:
            return candidate, child["path_params"], set()
        if match is Match.PARTIAL:
            allowed |= candidate.methods  # type: ignore[attr-defined]
    return None, {}, allowed


@given(text=strategies.text(alphabet=string.printable, max_size=40))
def test_any_path_is_found_or_not_without_an_error(text: str) -> None:
    app = bare_app()
    app.router.routes.append(declare(Route("/users/{id}", plain), public))

    build_route_table(app).find("GET", "/" + text)


# Calling.


async def test_route_of_every_kind_is_called(runtime: Runtime) -> None:
    router = APIRouter()

    @router.get("/things/{thing_id}", dependencies=[Depends(public)])
    async def thing(thing_id: UUID, request: Request) -> dict[str, str]:
        return {"id": str(thing_id), "url": str(request.url_for("thing", thing_id=thing_id).path)}

    router.routes.append(declare(Route("/old/{name}", plain), public))
    app = FastAPI(openapi_url=None)
    app.state.runtime = runtime
    app.include_router(router, prefix="/api/v1")
    app.router.routes.append(declare(Mount("/mounted", Starlette(routes=[Route("/{x}", plain)])), public))
    install_http(app, runtime)
    thing_id = uuid4()
    async with client_of(app) as client:
        api = await client.get(f"/api/v1/things/{thing_id}")
        old = await client.get("/api/v1/old/x")
        mounted = await client.get("/mounted/y")

    assert api.json() == {"id": str(thing_id), "url": f"/api/v1/things/{thing_id}"}
    assert old.text == "plain {'name': 'x'}"
    assert mounted.text == "plain {'x': 'y'}"


async def test_plain_route_is_guarded_too(runtime: Runtime) -> None:
    app, _ = shop_app(runtime)
    app.router.routes.append(declare(Route("/api/v1/users/me", plain), requires(ShopPermission.READ)))
    app.router.routes.append(
        declare(Mount("/inner", Starlette(routes=[Route("/x", plain)])), Requires(ShopPermission.NEVER))
    )
    ada = {"Authorization": "Bearer ada"}
    async with client_of(app) as client:
        answers = [
            (await client.get(path, headers=headers)).status_code
            for path, headers in (
                ("/api/v1/users/me", {}), ("/api/v1/users/me", ada), ("/inner/x", {}), ("/inner/x", ada),
            )
        ]  # fmt: skip

    assert answers == [401, 200, 401, 403]
