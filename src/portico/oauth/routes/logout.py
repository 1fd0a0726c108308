"""The logout endpoint, by which clients send browsers to sign out (RP-Initiated Logout 1.0, section 2).

GET and POST mean the same. A form of another site carries no session cookie (`SameSite=Lax`), so a POST goes on as a
GET of our own, with the cookie.
"""

from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from portico.http.access import find_principal, public
from portico.http.markers import body_limit, open_to_clients, without_idempotency
from portico.oauth.pages.logout import LOGOUT, gone, no_farewell, question
from portico.oauth.pipeline.parameters import Parameters
from portico.oauth.protocol.refusals import Refused
from portico.oauth.routes.answering import MAX_BODY, read_form
from portico.oauth.routes.descriptions import OF_LOGOUT, leads_on, takes_form, takes_query
from portico.oauth.services.logging_out import LoggingOut, session_of

router = APIRouter(
    tags=["oauth"],
    dependencies=[Depends(public), Depends(without_idempotency), Depends(body_limit(MAX_BODY))],
)


@router.get(
    LOGOUT,
    summary="Sign a person out",
    response_class=HTMLResponse,
    responses=leads_on(shows="Asks whether to sign out, or says that it is done."),
    openapi_extra=takes_query(*OF_LOGOUT),
)
async def log_out(request: Request) -> Response:
    """Sign out whom the hint means, and go back to the client; ask, where it means nobody for sure."""
    logging_out = LoggingOut(request.app.state.runtime)
    principal = find_principal(request)
    try:
        given = Parameters.read(request.scope["query_string"])
        farewell = await logging_out.judge(given, principal)
    except Refused as refused:
        return no_farewell(request, refused)
    if not farewell.asks:
        return gone(request, await logging_out.sign_out(principal), farewell.return_to)
    if session_of(principal) is None:
        return gone(request, (), farewell.return_to, follows=False)
    return question(request, farewell, given.one("ui_locales"))


@router.post(
    LOGOUT,
    summary="Sign a person out, by a form",
    dependencies=[Depends(open_to_clients)],
    status_code=303,
    response_class=Response,
    responses=leads_on(),
    openapi_extra=takes_form(*OF_LOGOUT),
)
async def log_out_by_form(request: Request) -> Response:
    """Take the request as a form; it goes on in the address, where the browser adds its cookie."""
    try:
        given = await read_form(request)
    except Refused as refused:
        return no_farewell(request, refused)
    query = urlencode(given.pairs)
    return RedirectResponse(f"{LOGOUT}?{query}", 303, headers={"Cache-Control": "no-store"})
