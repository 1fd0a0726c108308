"""The page on which a person lets a client in, or does not (row 8.7)."""

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from portico.http.access import find_principal, require_principal, requires
from portico.http.content_policy import csp_nonce, page_policy
from portico.http.markers import without_idempotency
from portico.oauth.errors import OAuthRefusal
from portico.oauth.pages.answers import CONSENT, answered, not_sent_back
from portico.oauth.pages.questions import described
from portico.oauth.permissions import OAuthPermission
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.routes.answering import transport_of
from portico.oauth.services.authorizing import Authorizing, NotSentBack
from portico.oauth.services.return_addresses import form_target
from portico.web.forms import FormDep
from portico.web.rendering import render

PAGE = "oauth/consent.html.jinja"

router = APIRouter(
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(requires(OAuthPermission.SELF_AUTHORIZE)), Depends(without_idempotency)],
)


@router.get(CONSENT)
async def show_question(request: Request) -> Response:
    """Say who asks, for what, and where the answer goes."""
    runtime = request.app.state.runtime
    ticket = request.query_params.get("ticket", "")
    try:
        question = await Authorizing(runtime).question(
            ticket, require_principal(request), transport_of(request)
        )
    except NotSentBack as kept:
        return not_sent_back(request, kept)
    nonce = csp_nonce(request)
    response = render(request, PAGE, **await described(runtime, question))
    response.headers["Content-Security-Policy"] = page_policy(
        nonce, form_action=("'self'", form_target(question.ask.redirect_uri or ""))
    )
    return response


@router.post(CONSENT)
async def answer_question(request: Request, form: FormDep) -> Response:
    """Take the answer, `action=approve` or `action=deny`, and send the browser back to the client."""
    authorizing = Authorizing(request.app.state.runtime)
    ticket, principal = form.text("ticket"), find_principal(request)
    if principal is None:
        raise RuntimeError("the route asks for a permission")
    try:
        match form.text("action"):
            case "approve":
                answer = await authorizing.approve(ticket, principal, transport_of(request))
            case "deny":
                answer = await authorizing.deny(ticket, principal, transport_of(request))
            case _:
                raise Refused(ErrorCode.INVALID_REQUEST, "say yes or no")
    except Refused as refused:
        return not_sent_back(request, NotSentBack(OAuthRefusal.of(refused)))
    except NotSentBack as kept:
        return not_sent_back(request, kept)
    return answered(request, answer)
