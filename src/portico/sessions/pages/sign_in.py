"""Sign-in and sign-out."""

from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from portico.core.errors import PorticoError
from portico.core.ids import UserId
from portico.credentials.schemas import MAX_INVITATION
from portico.http.access import find_principal, public
from portico.http.dependencies import MaybePrincipalDep, RuntimeDep
from portico.http.markers import limited, without_idempotency
from portico.runtime import Runtime
from portico.sessions.dependencies import SessionsDep, SignInDep
from portico.sessions.entering import entered, left, present_session, renewed
from portico.sessions.errors import EmailNotVerified
from portico.sessions.onward import allowing, path_with, remember
from portico.sessions.schemas import PageLogin
from portico.sessions.services import SignIn
from portico.sessions.types import Transport
from portico.users.settings import UsersSettings
from portico.users.types import RegistrationMode
from portico.web.forms import Form, FormDep
from portico.web.redirects import safe_next
from portico.web.rendering import refused, render, see_other
from portico.web.translations import mark

LOGIN = "sessions/login.html.jinja"
LONGEST_HINT = 320

router = APIRouter(
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[Depends(public), Depends(without_idempotency)],
)


@router.get("/login")
async def show_login(request: Request, runtime: RuntimeDep) -> Response:
    """Show the form; whoever is signed in is led on, but for `?again=1`, which asks him to prove it once more.

    `?invitation=` goes on to sign-up with who has no account, and so does `?next=`; `?login_hint=` fills in a name.
    """
    target = safe_next(request.query_params.get("next"))
    again = request.query_params.get("again") == "1"
    if find_principal(request) is not None and not again:
        return see_other(request, target)
    invitation = request.query_params.get("invitation", "")[:MAX_INVITATION]
    hint = request.query_params.get("login_hint", "")[:LONGEST_HINT]
    response = render(request, LOGIN, **_context(runtime, target, invitation, again=again, hint=hint))
    return await allowing(request, runtime, response, target)


@router.post("/login", dependencies=[Depends(limited("sign_in"))])
async def sign_in(request: Request, runtime: RuntimeDep, service: SignInDep, form: FormDep) -> Response:
    """Sign in by e-mail address or username; a session that the browser had before ends.

    With `again` whoever is signed in proves it once more, and his session goes on.
    """
    target = safe_next(form.text("next"))
    try:
        wish = form.parse(PageLogin)
        if wish.again and (cookie := await _proven_again(request, service, wish)) is not None:
            return renewed(request, runtime, cookie, target)
        signed_in = await service.sign_in(
            wish.username.strip(),
            wish.password.get_secret_value(),
            Transport.PAGE,
            replaces=present_session(request),
        )
    except PorticoError as refusal:
        response = _refused(request, runtime, form, refusal, target)
        return await allowing(request, runtime, response, target)
    return entered(request, runtime, signed_in.opened, target)


@router.post("/logout")
async def sign_out(
    request: Request, runtime: RuntimeDep, principal: MaybePrincipalDep, sessions: SessionsDep
) -> Response:
    """End the browser's session; nothing happens where there is none any more."""
    if principal is not None and principal.session_id is not None:
        await sessions.log_out(UserId(principal.id), principal.session_id, actor=principal)
    return left(request, runtime, mark("You are signed out."))


def _refused(request: Request, runtime: Runtime, form: Form, refusal: PorticoError, target: str) -> Response:
    invitation = form.text("invitation")[:MAX_INVITATION]
    is_unproven = isinstance(refusal, EmailNotVerified)
    context = _context(runtime, target, invitation, again=form.text("again") == "1", is_unproven=is_unproven)
    response = refused(request, LOGIN, form, refusal, **context)
    return remember(runtime, response, target) if is_unproven else response


async def _proven_again(request: Request, service: SignIn, wish: PageLogin) -> str | None:
    """Return the session's new cookie; None where nobody, or somebody else, is signed in."""
    principal = find_principal(request)
    if principal is None or principal.session_id is None or principal.actor_id is not None:
        return None
    return await service.sign_in_again(principal, wish.username.strip(), wish.password.get_secret_value())


def _context(
    runtime: Runtime,
    target: str,
    invitation: str,
    *,
    again: bool = False,
    hint: str = "",
    is_unproven: bool = False,
) -> dict[str, Any]:
    mode = runtime.section(UsersSettings).registration
    return {
        "next": target,
        "invitation": invitation,
        "again": again,
        "hint": hint,
        "sign_up": path_with("/signup", target, invitation=invitation),
        "may_sign_up": mode is not RegistrationMode.CLOSED,
        "is_unproven": is_unproven,
    }
