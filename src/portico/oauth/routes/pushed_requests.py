"""The endpoint of pushed authorization requests (RFC 9126, section 2)."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from portico.oauth.pipeline.asks import Ask, Endpoint
from portico.oauth.routes.answering import NO_STORE, answer, client_router
from portico.oauth.routes.descriptions import OF_AUTHORIZATION, OF_CLIENT, PUSHED, answers_json, takes_form
from portico.oauth.services.pushing import push_request

CREATED = 201

router = client_router()


@router.post(
    "/oauth/par",
    summary="Push an authorization request",
    status_code=CREATED,
    responses=answers_json(PUSHED, 400, 401, status=CREATED),
    openapi_extra=takes_form(*OF_AUTHORIZATION, *OF_CLIENT),
)
async def push(request: Request) -> Response:
    """Take the parameters of an authorization request from the client itself; answer a `request_uri` for them."""
    return await answer(request, Endpoint.PUSHED, _push)


async def _push(ask: Ask) -> Response:
    return JSONResponse(await push_request(ask), CREATED, headers=NO_STORE)
