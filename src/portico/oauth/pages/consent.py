"""The page on which a person lets a client in, or does not (row 8.7)."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from portico.http.access import require_principal, requires
from portico.http.markers import without_idempotency
from portico.oauth.pages.answers import CONSENT, allowing, answered, decided, not_sent_back
from portico.oauth.pages.questions import described
from portico.oauth.permissions import OAuthPermission
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.routes.answering import transport_of
from portico.oauth.services.authorizing import (
    ApprovalNeeded,
    Authorizing,
    Choice,
    NotSentBack,
    Question,
    SignInNeeded,
)
from portico.oauth.services.return_addresses import form_target
from portico.runtime import Runtime
from portico.web.forms import Form, FormDep
from portico.web.rendering import render

PAGE = "oauth/consent.html.jinja"
APPROVAL = "oauth/approval.html.jinja"
PLACE = "organization_id"

router = APIRouter(
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(requires(OAuthPermission.SELF_AUTHORIZE)), Depends(without_idempotency)],
)


@router.get(CONSENT)
async def show_question(request: Request) -> Response:
    """Say who asks, for what, and where the answer goes."""
    runtime: Runtime = request.app.state.runtime
    ticket, principal = request.query_params.get("ticket", ""), require_principal(request)
    try:
        question = await Authorizing(runtime).question(ticket, principal, transport_of(request))
    except NotSentBack as kept:
        return not_sent_back(request, kept)
    if isinstance(question, SignInNeeded):
        return decided(request, question)
    return await _shown(request, PAGE, question)


@router.post(CONSENT)
async def answer_question(request: Request, form: FormDep) -> Response:
    """Take the answer, `action=approve` or `action=deny`, and send the browser back to the client.

    `organization_id` says where the client works: empty for nowhere but in the person's own name; left out for what
    the page had chosen.
    """
    form.only("ticket", "action", PLACE)
    authorizing = Authorizing(request.app.state.runtime)
    ticket, principal, transport = form.text("ticket"), require_principal(request), transport_of(request)
    try:
        match form.text("action"):
            case "approve":
                outcome = await authorizing.approve(ticket, principal, transport, _choice(form))
            case "deny":
                outcome = await authorizing.deny(ticket, principal, transport)
            case _:
                raise Refused(ErrorCode.INVALID_REQUEST, "say yes or no")
    except Refused as refused:
        return not_sent_back(request, NotSentBack.of(refused))
    except NotSentBack as kept:
        return not_sent_back(request, kept)
    if isinstance(outcome, ApprovalNeeded):
        return await _shown(request, APPROVAL, outcome.question, organization=outcome.place.name)
    return decided(request, outcome) if isinstance(outcome, SignInNeeded) else answered(request, outcome)


async def _shown(request: Request, template: str, question: Question, **more: Any) -> Response:
    principal = require_principal(request)
    context = await described(request.app.state.runtime, question, principal.id)
    response = render(request, template, **context, **more)
    return allowing(request, response, form_target(question.ask.redirect_uri or ""))


def _choice(form: Form) -> Choice | None:
    """Return where the client is to work; None where the form says nothing of it.

    Raises:
        Refused: invalid_request; it is no organization at all.
    """
    text = form.values.get(PLACE)
    if text is None:
        return None
    try:
        return Choice(UUID(text) if text else None)
    except ValueError:
        raise Refused(ErrorCode.INVALID_REQUEST, "organization_id is no id") from None
