"""How requests of the protocol are read and answered: forms in, JSON out, errors in the shape of RFC 6749.

These routes keep the shapes of the specifications, not those of the API: no problem documents, no idempotency keys.
What the edge refuses before (too large, too many) is answered like everywhere.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from portico.core.errors import PorticoError
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

log = structlog.get_logger("portico.oauth")


async def answer(
    request: Request, endpoint: Endpoint, act: Callable[[Ask], Awaitable[Mapping[str, Any] | Response]]
) -> Response:
    """Read the form, run the endpoint's checks and then `act`; answer JSON, or the refusal."""
    try:
        ask = await read_ask(request, endpoint)
        await check(ask)
        answered = await act(ask)
    except (Refused, OAuthRefusal) as refused:
        return refusal_response(refused)
    if isinstance(answered, Response):
        return answered
    return JSONResponse(answered, headers=NO_STORE)


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
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Refused(ErrorCode.INVALID_REQUEST, "send the parameters as application/x-www-form-urlencoded")
    return Parameters.read(await request.body())


def transport_of(request: Request) -> Transport:
    """Return what came beside the parameters; the address is that of the public URL, whatever the request says."""
    runtime: Runtime = request.app.state.runtime
    header = runtime.section(OAuthSettings).tls_certificate_header
    return Transport(
        method=request.method,
        url=runtime.settings.public_url + request.url.path,
        authorization=request.headers.get("authorization"),
        proofs=tuple(request.headers.getlist("dpop")),
        certificate=request.headers.get(header) if header is not None else None,
        accept=request.headers.get("accept", ""),
    )


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
