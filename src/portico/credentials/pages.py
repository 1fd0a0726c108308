"""Forgotten passwords. What signs somebody in stands in `portico.sessions.pages`.

Asking for a message gets the same answer whether or not the address has an account. Opening the link of a message
changes nothing; the new password does, and signs nobody in.
"""

from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from portico.core.errors import PorticoError
from portico.credentials.dependencies import PasswordRecoveryDep
from portico.credentials.schemas import PasswordForgotRequest, PasswordResetRequest
from portico.credentials.services import PasswordRecovery
from portico.credentials.settings import CredentialsSettings
from portico.http.access import public
from portico.http.dependencies import RuntimeDep
from portico.http.markers import limited, without_idempotency
from portico.runtime import Runtime
from portico.tokens.errors import TokenInvalid
from portico.tokens.settings import TokensSettings
from portico.users.addresses import parse_address
from portico.users.schemas import MAX_TOKEN
from portico.web.forms import Form, FormDep, missing
from portico.web.rendering import refused, render, see_other
from portico.web.translations import mark

FORGOT = "credentials/forgot.html.jinja"
CHECK_MAIL = "credentials/check_mail.html.jinja"
RESET = "credentials/reset.html.jinja"

router = APIRouter(
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[Depends(public), Depends(without_idempotency)],
)


@router.get("/forgot")
async def show_forgot(request: Request) -> Response:
    """Show the form that asks for the address."""
    return render(request, FORGOT)


@router.post("/forgot", dependencies=[Depends(limited("sign_in"))])
async def forgot_password(request: Request, recovery: PasswordRecoveryDep, form: FormDep) -> Response:
    """Send a link and a code, and say so in the same words whether or not anybody has the address."""
    try:
        address = parse_address(form.parse(PasswordForgotRequest).email)
        await recovery.request_reset(address)
    except PorticoError as refusal:
        return refused(request, FORGOT, form, refusal)
    return render(request, CHECK_MAIL, reason="forgot", address=address.typed)


@router.get("/reset")
async def show_reset(request: Request, runtime: RuntimeDep, recovery: PasswordRecoveryDep) -> Response:
    """Show the form for the new password behind a link, or with fields for address and code; changes nothing."""
    token = request.query_params.get("token")
    if token is None:
        return render(request, RESET, **_context(runtime))
    try:
        if len(token) > MAX_TOKEN:
            raise TokenInvalid
        known = await recovery.peek(token)
    except PorticoError as refusal:
        return refused(request, FORGOT, Form(), refusal)
    return render(request, RESET, **_context(runtime, token, known.address))


@router.post("/reset", dependencies=[Depends(limited("sign_in"))])
async def reset_password(
    request: Request, runtime: RuntimeDep, recovery: PasswordRecoveryDep, form: FormDep
) -> Response:
    """Set the new password; every device is signed out."""
    try:
        await _reset(recovery, form)
    except PorticoError as refusal:
        return refused(request, RESET, form, refusal, **_context(runtime, form.text("token")))
    return see_other(request, "/login", mark("Your new password is set. Sign in with it."))


async def _reset(recovery: PasswordRecovery, form: Form) -> None:
    wish = form.parse(PasswordResetRequest)
    new = wish.new_password.get_secret_value()
    if wish.token is not None:
        await recovery.reset_password(wish.token.get_secret_value(), new)
        return
    if wish.email is None or wish.code is None:
        raise missing(form, "email", "code")
    await recovery.reset_password_by_code(parse_address(wish.email), wish.code.get_secret_value(), new)


def _context(runtime: Runtime, token: str = "", address: str | None = None) -> dict[str, Any]:
    minutes = round(runtime.section(TokensSettings).code_lifetime.total_seconds() / 60)
    return {
        "token": token,
        "address": address,
        "code_minutes": minutes,
        "rules": runtime.section(CredentialsSettings),
    }
