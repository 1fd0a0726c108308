"""The introspection endpoint (RFC 7662; RFC 9701)."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from portico.oauth.pipeline.asks import Ask, Endpoint
from portico.oauth.routes.answering import NO_STORE, answer, client_router, hot_route
from portico.oauth.routes.descriptions import OF_CLIENT, TOLD_OF_TOKEN, answers_json, takes_form
from portico.oauth.services.introspecting import JWT_MEDIA_TYPE, introspect, signed, wants_jwt

PATH = "/oauth/introspect"


async def _introspect(ask: Ask) -> Mapping[str, Any] | Response:
    said = await introspect(ask)
    if not wants_jwt(ask):
        return said
    return Response(await signed(ask, said), media_type=JWT_MEDIA_TYPE, headers=NO_STORE)


router = client_router()


router.routes.append(hot_route(PATH, Endpoint.INTROSPECT, _introspect))


@router.post(
    PATH,
    summary="Ask what a token is worth",
    responses=answers_json(TOLD_OF_TOKEN, 400, 401, other=JWT_MEDIA_TYPE),
    openapi_extra=takes_form("token", "token_type_hint", *OF_CLIENT, required=["token"]),
)
async def tell_of_token(request: Request) -> Response:
    """Take a form with `token`; answer JSON, or a signed JWT to whoever accepts one."""
    return await answer(request, Endpoint.INTROSPECT, _introspect)
