"""A small product on the HTTP floor: routes of every kind, and callers that authenticate by a word."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import UUID

import httpx2
from fastapi import APIRouter, Depends, FastAPI, Form, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.types import Scope

from portico.core.clock import SystemClock
from portico.core.context import current_request
from portico.core.errors import Conflict
from portico.core.ids import OrganizationId, PrincipalId
from portico.core.permissions import Permission
from portico.http.access import Authorizer, public, requires
from portico.http.answers import ErrorPages
from portico.http.application import HttpFloor, install_http
from portico.http.authentication import Authenticator, CredentialKind, Principal, PrincipalKind, Rejection
from portico.http.content_policy import csp_nonce
from portico.http.cookies import find_cookie
from portico.http.csrf import csrf_token
from portico.http.dependencies import PrincipalDep
from portico.http.etags import ConditionsDep
from portico.http.markers import body_limit, limited
from portico.http.policies import Case, Verdict
from portico.http.problems import Problem, describes
from portico.http.schemas import RequestModel, ResponseModel, Text
from portico.runtime import Runtime

ADA = UUID("01932f6e-7c1a-7abc-8def-000000000001")
BOB = UUID("01932f6e-7c1a-7abc-8def-000000000002")
SESSION = "session-of-ada"


class ShopPermission(Permission):
    """Rights of the shop."""

    READ = "shop:self:read"
    NEVER = "shop:self:never"


class OutOfStock(Conflict):
    """Nothing left."""

    code, title = "out_of_stock", "Nothing left"


class Order(RequestModel):
    """An order."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    amount: Annotated[int, Field(ge=1, le=1000)] = 1
    notes: Annotated[list[Annotated[str, Field(max_length=80)]], Field(max_length=5)] = Field(
        default_factory=list
    )
    password: Annotated[str, Field(max_length=1024)] | None = None


class Echo(ResponseModel):
    """What arrived."""

    name: str
    size: int = 0


router = APIRouter(prefix="/shop", tags=["shop"])


@router.get("/open", dependencies=[Depends(public)])
async def read_open() -> Echo:
    return Echo(name="open")


@router.get("/closed", dependencies=[Depends(requires(ShopPermission.READ))])
async def read_closed(principal: PrincipalDep) -> Echo:
    return Echo(name=str(principal.id))


@router.get("/never", dependencies=[Depends(requires(ShopPermission.NEVER))])
async def read_never() -> Echo:
    return Echo(name="never")


@router.get("/orders/{order_id}", dependencies=[Depends(public)])
async def read_order(order_id: UUID, conditions: ConditionsDep, response: Response) -> Echo:
    conditions.answer(response, 3)
    return Echo(name=str(order_id))


@router.put("/orders/{order_id}", dependencies=[Depends(public)])
async def change_order(order_id: UUID, order: Order, conditions: ConditionsDep) -> Echo:
    conditions.require(3)
    return Echo(name=order.name)


@router.post("/orders", dependencies=[Depends(public)], status_code=201, responses=describes(OutOfStock))
async def create_order(order: Order) -> Echo:
    if order.name == "nothing":
        raise OutOfStock
    return Echo(name=order.name, size=len(order.password or ""))


@router.post("/closed-orders", dependencies=[Depends(requires(ShopPermission.READ))])
async def create_closed_order(order: Order) -> Echo:
    return Echo(name=order.name)


@router.post("/sign-in", dependencies=[Depends(public), Depends(limited("sign_in"))])
async def sign_in(order: Order) -> Echo:
    return Echo(name=order.name)


@router.post("/large", dependencies=[Depends(public), Depends(body_limit(3_000_000))])
async def take_large(request: Request) -> Echo:
    return Echo(name="large", size=len(await request.body()))


@router.post("/raw", dependencies=[Depends(public)])
async def take_raw(request: Request) -> Echo:
    return Echo(name="raw", size=len(await request.body()))


@router.post("/form", dependencies=[Depends(public)])
async def take_form(name: Annotated[Text, Form(max_length=80)]) -> Echo:
    return Echo(name=name)


@router.get("/search", dependencies=[Depends(public)])
async def search(q: Annotated[Text | None, Query(max_length=80)] = None, limit: int = 10) -> Echo:
    return Echo(name=q or "", size=limit)


@router.get("/facts", dependencies=[Depends(public)])
async def read_facts() -> dict[str, str | None]:
    facts = current_request()
    return {
        "request_id": facts.request_id,
        "client_address": facts.client_address,
        "user_agent": facts.user_agent,
        "device_cookie": facts.device_cookie,
    }


@router.get("/failing", dependencies=[Depends(public)])
async def fail() -> Echo:
    raise ZeroDivisionError("secret-of-the-stack password=hunter2")


@router.get("/slow", dependencies=[Depends(public)])
async def wait() -> Echo:
    await asyncio.sleep(5)
    return Echo(name="slow")


@router.get("/stream", dependencies=[Depends(public)])
async def stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"part;"
            await asyncio.sleep(0.1)

    return StreamingResponse(parts(), media_type="text/plain")


@router.get("/half", dependencies=[Depends(public)])
async def break_off() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"half"
        raise ZeroDivisionError

    return StreamingResponse(parts(), media_type="text/plain")


@router.get("/cached", dependencies=[Depends(public)])
async def cached() -> PlainTextResponse:
    return PlainTextResponse("cached", headers={"Cache-Control": "max-age=60"})


pages = APIRouter(include_in_schema=False)


@pages.get("/", dependencies=[Depends(public)])
async def home(request: Request) -> HTMLResponse:
    return HTMLResponse(f"<script nonce={csp_nonce(request)}></script>{csrf_token(request)}")


@pages.get("/plain", dependencies=[Depends(public)])
async def plain() -> HTMLResponse:
    return HTMLResponse("plain")


@pages.get("/account", dependencies=[Depends(requires(ShopPermission.READ))])
async def account(request: Request) -> HTMLResponse:
    return HTMLResponse(f"<p>account</p>{csrf_token(request)}")


@pages.post("/account", dependencies=[Depends(requires(ShopPermission.READ))])
async def change_account(request: Request) -> HTMLResponse:
    form = await request.form()
    return HTMLResponse(f"changed {form.get('name')}")


class WordAuthenticator:
    """Knows `Bearer ada` and `Bearer bob`, refuses other words, and believes the session cookie of Ada."""

    async def authenticate(self, scope: Scope, headers: Mapping[str, str]) -> Principal | Rejection | None:
        header = headers.get("authorization")
        if header is not None:
            known = {"Bearer ada": ADA, "Bearer bob": BOB}.get(header)
            return principal(known) if known else Rejection("token_invalid", "The access token is not valid")
        if find_cookie(headers.get("cookie"), "portico_session") == SESSION:
            return principal(ADA, CredentialKind.COOKIE)
        return None


class FailingAuthenticator:
    """Breaks whenever it is asked."""

    async def authenticate(self, scope: Scope, headers: Mapping[str, str]) -> Principal | Rejection | None:
        raise RuntimeError("the key store is away")


class ReadersOnly:
    """Everybody may read."""

    async def decide(
        self,
        principal: Principal,
        permission: Permission,
        organization_id: OrganizationId | None = None,
        *,
        fresh: bool = False,
    ) -> Verdict:
        return Verdict.ALLOWED if permission is ShopPermission.READ else Verdict.NOT_HELD

    def case(
        self, principal: Principal, permission: Permission, organization_id: OrganizationId | None
    ) -> Case[None]:
        return Case(principal=principal, permission=permission, now=SystemClock().now())

    async def note_refusal(self, case: Case[Any], verdict: Verdict) -> None:
        """Tell nobody."""


class WordyPages:
    """Shows refusals as HTML."""

    async def render(self, request: Request, problem: Problem) -> Response:
        return HTMLResponse(f"<h1>{problem.title}</h1>", status_code=problem.status)


def principal(principal_id: UUID, credential: CredentialKind = CredentialKind.BEARER) -> Principal:
    return Principal(id=PrincipalId(principal_id), kind=PrincipalKind.USER, credential=credential)


def shop_app(
    runtime: Runtime,
    *,
    routers: Sequence[APIRouter] = (router,),
    authenticators: Sequence[Callable[[Runtime], Authenticator]] = (lambda _: WordAuthenticator(),),
    **given: Any,
) -> tuple[FastAPI, HttpFloor]:
    """Return the shop's application and its floor."""
    runtime.provide(Authorizer, ReadersOnly())
    runtime.provide(ErrorPages, WordyPages())
    app = FastAPI(title="Shop", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.runtime = runtime
    for one in routers:
        app.include_router(one, prefix="/api/v1")
    app.include_router(pages)
    return app, install_http(app, runtime, authenticators=authenticators, **given)


@asynccontextmanager
async def client_of(
    app: FastAPI, *, base_url: str = "http://localhost:8000", peer: str = "192.0.2.7", **given: Any
) -> AsyncIterator[httpx2.AsyncClient]:
    """Lend a client whose socket is `peer`; unhandled errors are answered, not raised."""
    transport = httpx2.ASGITransport(app=app, client=(peer, 4711), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=base_url, **given) as client:
        yield client
