"""The token endpoint (OAuth 2.1, section 3.2)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from portico.oauth.pipeline.asks import Ask, Endpoint
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.routes.answering import answer, client_router, hot_route
from portico.oauth.routes.descriptions import OF_CLIENT, OF_TOKENS, TOKENS, answers_json, takes_form
from portico.oauth.services.token_grants import GRANTS
from portico.oauth.types import GrantType

PATH = "/oauth/token"


async def _issue(ask: Ask) -> dict[str, Any]:
    grant = GRANTS.get(ask.grant_type or GrantType.AUTHORIZATION_CODE)
    if grant is None:
        raise Refused(ErrorCode.UNSUPPORTED_GRANT_TYPE, "grant_type is not supported")
    return (await grant(ask)).as_document()


router = client_router()


router.routes.append(hot_route(PATH, Endpoint.TOKEN, _issue))


@router.post(
    PATH,
    summary="Exchange a grant for tokens",
    responses=answers_json(TOKENS, 400, 401),
    openapi_extra=takes_form(*OF_TOKENS, *OF_CLIENT, required=["grant_type"]),
)
async def issue_tokens(request: Request) -> Response:
    """Take a form with `grant_type`, answer tokens as JSON, or an error in the shape of RFC 6749, section 5.2."""
    return await answer(request, Endpoint.TOKEN, _issue)
