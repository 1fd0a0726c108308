"""Sign-up, and the first administrator.

Where addresses must be proven, the answer is the same page whether or not the address has an account.
"""

from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from portico.core.errors import PorticoError
from portico.credentials.ports import Admission
from portico.credentials.schemas import RegistrationRequest, SetupRequest
from portico.credentials.services import Registration, Setup
from portico.credentials.settings import CredentialsSettings
from portico.credentials.wishes import wish_of
from portico.http.access import find_principal, public
from portico.http.dependencies import RuntimeDep
from portico.http.markers import limited, without_idempotency
from portico.runtime import Runtime
from portico.sessions.entering import entered, present_session
from portico.sessions.onward import allowing, path_with, remember
from portico.sessions.services import PageSessions
from portico.sessions.types import AuthMethod
from portico.tokens.errors import TokenInvalid
from portico.users.schemas import MAX_TOKEN
from portico.users.services import Users
from portico.users.settings import UsersSettings
from portico.users.types import Account, RegistrationMode
from portico.web.forms import Form, FormDep
from portico.web.redirects import HOME, safe_next
from portico.web.rendering import refused, render, see_other
from portico.web.translations import mark

SIGN_UP = "sessions/signup.html.jinja"
CLOSED = "sessions/signup_closed.html.jinja"
CHECK_MAIL = "credentials/check_mail.html.jinja"
SETUP = "sessions/setup.html.jinja"
SETUP_OVER = "sessions/setup_over.html.jinja"
LONGEST_INVITATION = 100
INVITED = mark("Welcome! Your address is confirmed, and you have joined.")
CONFIRM = mark("Welcome! We sent you a message to confirm your address.")

router = APIRouter(
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[Depends(public), Depends(without_idempotency)],
)


@router.get("/signup")
async def show_sign_up(request: Request, runtime: RuntimeDep) -> Response:
    """Show the form, or that there is none; `?invitation=` fills in the invitation of a link, and whose it is.

    `?next=` says where somebody was going.
    """
    target = safe_next(request.query_params.get("next"))
    if find_principal(request) is not None:
        return see_other(request, target)
    if runtime.section(UsersSettings).registration is RegistrationMode.CLOSED:
        return render(request, CLOSED)
    invitation = request.query_params.get("invitation", "")[:LONGEST_INVITATION]
    response = render(request, SIGN_UP, **await _sign_up_context(runtime, invitation, target))
    return await allowing(request, runtime, response, target)


@router.post("/signup", dependencies=[Depends(limited("sign_in"))])
async def sign_up(request: Request, runtime: RuntimeDep, form: FormDep) -> Response:
    """Make an account and sign in, or where the address must be proven first, say that a message is on its way."""
    unit, target = runtime.unit(), safe_next(form.text("next"))
    try:
        wish = wish_of(form.parse(RegistrationRequest), Users(runtime, unit))
        account = await Registration(runtime, unit).register(wish)
    except PorticoError as refusal:
        context = await _sign_up_context(runtime, form.text("invitation")[:LONGEST_INVITATION], target)
        response = refused(request, SIGN_UP, form, refusal, **context)
        return await allowing(request, runtime, response, target)
    if account is None:
        page = render(request, CHECK_MAIL, reason="signup", address=wish.email.typed)
        return remember(runtime, page, target)
    message = INVITED if account.email_verified else CONFIRM
    return await _let_in(request, runtime, account, message, target)


@router.get("/setup")
async def show_setup(request: Request, runtime: RuntimeDep) -> Response:
    """Show the form for the first administrator behind the link that the server printed; changes nothing."""
    token = request.query_params.get("token", "")
    try:
        if not token or len(token) > MAX_TOKEN:
            raise TokenInvalid
        await Setup(runtime, runtime.unit()).check_link(token)
    except PorticoError as refusal:
        return refused(request, SETUP_OVER, Form(), refusal)
    return render(request, SETUP, token=token, **_context(runtime))


@router.post("/setup", dependencies=[Depends(limited("sign_in"))])
async def set_up(request: Request, runtime: RuntimeDep, form: FormDep) -> Response:
    """Make the first administrator and sign in."""
    unit = runtime.unit()
    try:
        body = form.parse(SetupRequest)
        wish = wish_of(body, Users(runtime, unit))
        account = await Setup(runtime, unit).create_first_administrator(body.token.get_secret_value(), wish)
    except PorticoError as refusal:
        return refused(request, SETUP, form, refusal, token=form.text("token"), **_context(runtime))
    return await _let_in(request, runtime, account, mark("Welcome! You are the administrator here."))


async def _let_in(
    request: Request, runtime: Runtime, account: Account, message: str, target: str = HOME
) -> Response:
    # An act of its own: the account stays if the session cannot be opened.
    sessions = PageSessions(runtime, runtime.unit())
    opened = await sessions.start(account.id, amr=(AuthMethod.PASSWORD,), replaces=present_session(request))
    return entered(request, runtime, opened, target, message)


async def _sign_up_context(runtime: Runtime, invitation: str, target: str) -> dict[str, Any]:
    invited = await runtime.get(Admission).find_invited(invitation) if invitation else None
    return {
        "invitation": invitation,
        "invited": invited,
        "next": target,
        "sign_in": path_with("/login", invited.path if invited and target == HOME else target),
        **_context(runtime),
    }


def _context(runtime: Runtime) -> dict[str, Any]:
    users = runtime.section(UsersSettings)
    return {
        "by_invitation": users.registration is RegistrationMode.INVITE,
        "locales": users.locales,
        "rules": runtime.section(CredentialsSettings),
    }
