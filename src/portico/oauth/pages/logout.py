"""What a person sees of signing out: the question, the end, and what was wrong with the request."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from portico.http.access import find_principal, public
from portico.http.content_policy import csp_nonce, page_policy
from portico.http.markers import without_idempotency
from portico.oauth.pipeline.parameters import Parameters
from portico.oauth.protocol.redirect_uris import host_shown
from portico.oauth.protocol.refusals import Refused
from portico.oauth.services.logging_out import Farewell, LoggingOut, session_of
from portico.oauth.services.return_addresses import form_target
from portico.runtime import Runtime
from portico.sessions.cookies import CLEAR_SITE_DATA, PAGE
from portico.web.forms import FormDep
from portico.web.rendering import render

LOGOUT = "/oauth/logout"
CONFIRM = "/oauth/logout/confirm"
QUESTION = "oauth/logout.html.jinja"
GONE = "oauth/logged_out.html.jinja"
FRAMES_SECONDS = 2
"""How long frames have before the browser goes on."""
REPEATED = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")
"""What the form of the question brings again, to be judged again."""

router = APIRouter(
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(public), Depends(without_idempotency)],
)


@router.post(CONFIRM)
async def confirm(request: Request, form: FormDep) -> Response:
    """Sign out; on to the client only if what it asked for is still good."""
    form.only(*REPEATED)
    logging_out = LoggingOut(request.app.state.runtime)
    principal, return_to = find_principal(request), None
    try:
        given = Parameters((name, form.text(name)) for name in REPEATED)
        return_to = (await logging_out.judge(given, principal)).return_to
    except Refused:
        return_to = None  # it was shown with the question
    return gone(request, await logging_out.sign_out(principal), return_to)


def question(request: Request, farewell: Farewell, ui_locales: str | None) -> Response:
    """Ask whether to sign out, for the request does not say for sure who is meant."""
    nonce, there = csp_nonce(request), farewell.return_to
    response = render(
        request,
        QUESTION,
        language=(ui_locales or "").replace(" ", ",") or None,
        client=farewell.client,
        given=[(name, getattr(farewell.request, name)) for name in REPEATED],
        refusal=None,
    )
    targets = ("'self'", form_target(there)) if there is not None else ("'self'",)
    response.headers["Content-Security-Policy"] = page_policy(nonce, form_action=targets)
    return response


def no_farewell(request: Request, refused: Refused) -> Response:
    """Show what is wrong; whoever is signed in may sign out all the same, and is sent nowhere."""
    is_signed_in = session_of(find_principal(request)) is not None
    return render(request, QUESTION, 400, client=None, given=(), refusal=refused, is_signed_in=is_signed_in)


def gone(request: Request, frames: Sequence[str], return_to: str | None, *, follows: bool = True) -> Response:
    """Lead back to the client, or say that it is done; with frames, by a page that loads them first.

    Without `follows` the person goes on by a link: nobody was asked, and nothing vouches for the request.
    """
    if return_to is not None and follows and not frames:
        answer: Response = RedirectResponse(return_to, 303, headers={"Cache-Control": "no-store"})
        answer.headers["Referrer-Policy"] = "no-referrer"
    else:
        answer = _page(request, frames, return_to, follows=follows)
    return _forgotten(request, answer)


def _page(request: Request, frames: Sequence[str], return_to: str | None, *, follows: bool) -> Response:
    nonce = csp_nonce(request)
    page = render(
        request,
        GONE,
        frames=frames,
        link=return_to,
        host=host_shown(return_to) if return_to is not None else None,
    )
    if follows and return_to is not None:
        page.headers["Refresh"] = f"{FRAMES_SECONDS}; url={return_to}"
    origins = dict.fromkeys(f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, frames))
    page.headers["Content-Security-Policy"] = page_policy(nonce, frames=tuple(origins))
    return page


def _forgotten(request: Request, answer: Response) -> Response:
    """Have the browser forget what it kept of the person (ASVS 5.0 V14.3.1)."""
    runtime: Runtime = request.app.state.runtime
    answer.headers["Clear-Site-Data"] = CLEAR_SITE_DATA
    PAGE.delete(answer, runtime.settings)
    return answer
