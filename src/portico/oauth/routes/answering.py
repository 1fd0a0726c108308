"""How requests of the protocol are read and answered: forms in, JSON out, errors in the shape of RFC 6749.

These routes keep the shapes of the specifications, not those of the API: no problem documents, no idempotency keys.
What the edge refuses before (too large, too many) is answered like everywhere. The ones that clients call all day are
plain ASGI applications (`hot_route`), which stand before the documented route of the same path.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from fastapi import APIRouter, Depends
from pydantic_core import to_json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from portico.core.errors import PorticoError
from portico.http.access import public
from portico.http.bodies import read_body
from portico.http.edge.addresses import ClientAddresses
from portico.http.markers import body_limit, open_to_clients, without_idempotency
from portico.http.routing import declare
from portico.oauth.errors import OAuthRefusal
from portico.oauth.pipeline.asks import Ask, Endpoint, Transport
from portico.oauth.pipeline.parameters import Parameters
from portico.oauth.pipeline.table import check
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.settings import OAuthSettings
from portico.runtime import Runtime

FORM = "application/x-www-form-urlencoded"
MAX_BODY = 65_536
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
"""RFC 6749, section 5.1."""
UNAUTHORIZED = 401
_JSON_HEADERS = (
    (b"content-type", b"application/json"),
    *((name.lower().encode(), value.encode()) for name, value in NO_STORE.items()),
)

type Act = Callable[[Ask], Awaitable[Mapping[str, Any] | Response]]

log = structlog.get_logger("portico.oauth")


class FormEndpoint:
    """An endpoint of the protocol that takes a form, without FastAPI's way from a request to a function."""

    def __init__(self, endpoint: Endpoint, act: Act) -> None:
        self._endpoint = endpoint
        self._act = act

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as `answer` does."""
        response = await answer(Request(scope, receive), self._endpoint, self._act)
        await response(scope, receive, send)


class ProtocolJson(Response):
    """JSON that nobody may keep; its headers are made once, not once an answer."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.status_code = 200
        self.background = None
        self.body = to_json(content)
        self.raw_headers = [(b"content-length", b"%d" % len(self.body)), *_JSON_HEADERS]


def client_router(most_bytes: int = MAX_BODY) -> APIRouter:
    """Return a router of endpoints that clients call: from any origin, without a cookie, each time anew."""
    marks = (public, open_to_clients, without_idempotency, body_limit(most_bytes))
    return APIRouter(tags=["oauth"], dependencies=[Depends(mark) for mark in marks])


def hot_route(path: str, endpoint: Endpoint, act: Act) -> Route:
    """Return the plain route of an endpoint; the one that documents it stands behind."""
    route = Route(path, FormEndpoint(endpoint, act), methods=["POST"])
    return declare(route, public, open_to_clients, without_idempotency, body_limit(MAX_BODY))


async def answer(request: Request, endpoint: Endpoint, act: Act) -> Response:
    """Read the form, run the endpoint's checks and then `act`; answer JSON, or the refusal."""
    try:
        ask = await read_ask(request, endpoint)
        await check(ask)
        answered = await act(ask)
    except (Refused, OAuthRefusal) as refused:
        return refusal_response(refused)
    if isinstance(answered, Response):
        return answered
    return ProtocolJson(answered)


async def read_ask(request: Request, endpoint: Endpoint) -> Ask:
    """Return the request as the checks take it.

    Raises:
        Refused: invalid_request; no form.
    """
    runtime: Runtime = request.app.state.runtime
    return Ask(
        runtime=runtime,
        unit=runtime.unit(),
        endpoint=endpoint,
        transport=transport_of(request),
        given=await read_form(request),
        now=runtime.clock.now(),
    )


async def read_form(request: Request) -> Parameters:
    """Return the parameters of the body (RFC 6749, appendix B).

    Raises:
        Refused: invalid_request; another media type, or not to be read.
    """
    content_type = dict(request.scope["headers"]).get(b"content-type", b"").decode("latin-1")
    if content_type != FORM and content_type.partition(";")[0].strip().lower() != FORM:
        raise Refused(ErrorCode.INVALID_REQUEST, "send the parameters as application/x-www-form-urlencoded")
    body = await read_body(request.receive)
    if body is None:
        raise ClientDisconnect
    return Parameters.read(body)


def transport_of(request: Request) -> Transport:
    """Return what came beside the parameters; the address is that of the public URL, whatever the request says."""
    scope = request.scope
    runtime: Runtime = scope["app"].state.runtime
    headers = dict(scope["headers"])
    authorization = headers.get(b"authorization")
    return Transport(
        method=scope["method"],
        url=runtime.settings.public_url + scope["path"],
        authorization=authorization.decode("latin-1") if authorization is not None else None,
        proofs=tuple(request.headers.getlist("dpop")) if b"dpop" in headers else (),
        certificate=_certificate(request, runtime),
        accept=headers.get(b"accept", b"").decode("latin-1"),
    )


def _certificate(request: Request, runtime: Runtime) -> str | None:
    """Return the client's certificate, if a proxy of ours says so; from anybody else the header means nothing.

    The proxy has to replace the header. Of two that arrive none can be read, whoever wrote which (row 19.1).
    """
    header = runtime.section(OAuthSettings).tls_certificate_header
    if header is None:
        return None
    values = request.headers.getlist(header)
    if not values or not ClientAddresses(runtime.settings.http).trusts(request.scope.get("client")):
        return None
    return ", ".join(values)


def refusal_response(refused: Refused | PorticoError) -> Response:
    """Return the answer to a refusal (RFC 6749, section 5.2)."""
    refusal = OAuthRefusal.of(refused) if isinstance(refused, Refused) else refused
    if not isinstance(refusal, OAuthRefusal):
        raise refusal
    if refusal.log:
        log.info("oauth_refused", error=refusal.error.value, why=refusal.log)
    status = UNAUTHORIZED if refusal.error is ErrorCode.INVALID_CLIENT else refusal.answer_status
    body = {"error": refusal.error.value, "error_description": refusal.detail}
    return JSONResponse(body, status, headers={**NO_STORE, **refusal.headers})
