"""The revocation endpoint (RFC 7009)."""

from starlette.requests import Request
from starlette.responses import Response

from portico.oauth.pipeline.asks import Ask, Endpoint
from portico.oauth.routes.answering import NO_STORE, answer, client_router
from portico.oauth.routes.descriptions import OF_CLIENT, answers_json, takes_form
from portico.oauth.services.revoking import revoke_token

router = client_router()


@router.post(
    "/oauth/revoke",
    summary="Give a token back",
    responses=answers_json(None, 400, 401),
    openapi_extra=takes_form("token", "token_type_hint", *OF_CLIENT, required=["token"]),
)
async def give_token_back(request: Request) -> Response:
    """Take a form with `token`; the answer is 200 and empty, whatever the token was (RFC 7009, section 2.2)."""
    return await answer(request, Endpoint.REVOKE, _revoke)


async def _revoke(ask: Ask) -> Response:
    await revoke_token(ask)
    return Response(headers=NO_STORE)
