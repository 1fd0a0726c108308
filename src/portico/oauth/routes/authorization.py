"""The authorization endpoint: what browsers are sent to, and where they are sent back (OAuth 2.1, section 3.1).

GET and POST mean the same. A form of another site carries no session cookie (`SameSite=Lax`), so a POST waits under a
ticket and goes on as a GET of our own, with the cookie.
"""

from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from portico.http.access import find_principal, public
from portico.http.markers import body_limit, open_to_forms, without_idempotency
from portico.oauth.errors import OAuthRefusal
from portico.oauth.pages.answers import decided, not_sent_back
from portico.oauth.pipeline.parameters import Parameters
from portico.oauth.protocol.refusals import Refused
from portico.oauth.routes.answering import MAX_BODY, read_form, transport_of
from portico.oauth.routes.descriptions import OF_AUTHORIZATION, leads_on, takes_form, takes_query
from portico.oauth.services.authorizing import Authorizing, NotSentBack

router = APIRouter(
    tags=["oauth"],
    dependencies=[Depends(public), Depends(without_idempotency), Depends(body_limit(MAX_BODY))],
)
AUTHORIZE = "/oauth/authorize"
RESUME = "/oauth/resume"


@router.get(
    AUTHORIZE,
    summary="Ask a person to let a client in",
    response_class=HTMLResponse,
    responses=leads_on(shows="A form that posts itself to the client."),
    openapi_extra=takes_query("client_id", "request_uri", *OF_AUTHORIZATION),
)
async def authorize(request: Request) -> Response:
    """Take an authorization request; the answer is a redirect to the client, to sign-in, to consent, or a page."""
    try:
        given = Parameters.read(request.scope["query_string"])
        authorizing = Authorizing(request.app.state.runtime)
        outcome = await authorizing.begin(given, find_principal(request), transport_of(request))
    except Refused as refused:
        return not_sent_back(request, NotSentBack(OAuthRefusal.of(refused)))
    except NotSentBack as kept:
        return not_sent_back(request, kept)
    return decided(request, outcome)


@router.post(
    AUTHORIZE,
    summary="Ask a person to let a client in, by a form",
    dependencies=[Depends(open_to_forms)],
    status_code=303,
    response_class=Response,
    responses=leads_on(),
    openapi_extra=takes_form("client_id", "request_uri", *OF_AUTHORIZATION),
)
async def authorize_by_form(request: Request) -> Response:
    """Take an authorization request as a form (OpenID Connect Core 1.0, section 3.1.2.1)."""
    try:
        given = await read_form(request)
    except Refused as refused:
        return not_sent_back(request, NotSentBack(OAuthRefusal.of(refused)))
    query = urlencode(given.pairs)
    return RedirectResponse(f"{AUTHORIZE}?{query}", 303, headers={"Cache-Control": "no-store"})


@router.get(RESUME, include_in_schema=False, response_class=HTMLResponse)
async def resume(request: Request) -> Response:
    """Go on with a request that waited for a sign-in."""
    ticket = request.query_params.get("ticket", "")
    try:
        authorizing = Authorizing(request.app.state.runtime)
        outcome = await authorizing.resume(ticket, find_principal(request), transport_of(request))
    except NotSentBack as kept:
        return not_sent_back(request, kept)
    return decided(request, outcome)
