"""The page behind the link that proves an address.

Opening it changes nothing: mail programs open links by themselves. And the click alone is enough only where the person
is signed in already: an address proves who reads the mail, not who chose the password. Everybody else gives the
password of the sign-up, or chooses a new one, which wipes what a stranger may have set (SECURITY_BAR check 10).
"""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from portico.core.errors import PorticoError
from portico.credentials.services import AddressProofs
from portico.credentials.settings import CredentialsSettings
from portico.http.access import find_principal, public
from portico.http.dependencies import RuntimeDep
from portico.http.markers import limited, without_idempotency
from portico.runtime import Runtime
from portico.sessions.entering import entered, present_session
from portico.sessions.onward import allowing, forget, remembered
from portico.sessions.schemas import PageVerification
from portico.sessions.services import PageSessions
from portico.sessions.types import AuthMethod
from portico.tokens.errors import TokenInvalid
from portico.tokens.settings import TokensSettings
from portico.tokens.types import RedeemedToken
from portico.users.addresses import parse_address
from portico.users.schemas import MAX_TOKEN, EmailResend
from portico.users.services import EmailAddresses
from portico.users.types import Account
from portico.web.forms import Form, FormDep, missing
from portico.web.rendering import refused, render, see_other
from portico.web.translations import mark

BY_LINK = "sessions/verify.html.jinja"
BY_CODE = "sessions/verify_code.html.jinja"
PROVEN = mark("Your address is confirmed.")

router = APIRouter(
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[Depends(public), Depends(without_idempotency)],
)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a link asks of whoever opened it."""

    address: str | None
    is_change: bool
    """For another address of an account: only its owner may go on, a new password is not offered."""
    is_known: bool
    """The person is signed in here: the click is enough."""

    @classmethod
    def of(cls, request: Request, known: RedeemedToken) -> "Proof":
        """Look at the link and at who is asking.

        A link that carries the wishes of another attempt to sign up replaces the password: there a session says
        nothing about whose wishes they are.
        """
        principal = find_principal(request)
        is_owner = principal is not None and principal.id == known.subject_id and principal.actor_id is None
        return cls(
            address=known.address,
            is_change="replaces" in known.payload,
            is_known=is_owner and known.payload.get("claim") is None,
        )


@router.get("/verify")
async def show_verification(request: Request, runtime: RuntimeDep) -> Response:
    """Show what a click would prove, or the form for the code; changes nothing."""
    token = request.query_params.get("token")
    if token is None:
        page = render(request, BY_CODE, **_code_context(runtime))
        return await allowing(request, runtime, page, remembered(request, runtime))
    try:
        proof = await _examine(request, runtime, token)
    except PorticoError as refusal:
        return refused(request, BY_CODE, Form(), refusal, **_code_context(runtime))
    page = render(request, BY_LINK, **_context(runtime, token, proof))
    return await allowing(request, runtime, page, remembered(request, runtime))


@router.post("/verify", dependencies=[Depends(limited("sign_in"))])
async def verify(request: Request, runtime: RuntimeDep, form: FormDep) -> Response:
    """Prove the address by link or by code, and sign in."""
    if not form.text("token"):
        return await _verify_by_code(request, runtime, form)
    token = form.text("token")
    try:
        proof = await _examine(request, runtime, token)
    except PorticoError as refusal:
        return refused(request, BY_CODE, Form(), refusal, **_code_context(runtime))
    try:
        wish = form.parse(PageVerification)
        if proof.is_known:
            await EmailAddresses(runtime, runtime.unit()).verify(token)
            return forget(runtime, see_other(request, remembered(request, runtime), PROVEN))
        account, method = await _proven(runtime, form, wish, proof)
    except PorticoError as refusal:
        return refused(request, BY_LINK, form, refusal, **_context(runtime, token, proof))
    return await _let_in(request, runtime, account, method)


@router.post("/verify/resend", dependencies=[Depends(limited("sign_in"))])
async def resend(request: Request, runtime: RuntimeDep, form: FormDep) -> Response:
    """Send the message again; the same answer whether or not the address waits for it."""
    try:
        address = parse_address(form.parse(EmailResend).email)
        await EmailAddresses(runtime, runtime.unit()).resend(address)
    except PorticoError as refusal:
        return refused(request, BY_CODE, form, refusal, **_code_context(runtime))
    return see_other(
        request, "/verify", mark("If the address waits to be confirmed, a message is on its way there.")
    )


async def _verify_by_code(request: Request, runtime: Runtime, form: Form) -> Response:
    try:
        wish = form.parse(PageVerification)
        if wish.email is None or wish.code is None or wish.password is None:
            raise missing(form, "email", "code", "password")
        account = await AddressProofs(runtime, runtime.unit()).verify_code_with_password(
            parse_address(wish.email), wish.code.get_secret_value(), wish.password.get_secret_value()
        )
    except PorticoError as refusal:
        return refused(request, BY_CODE, form, refusal, **_code_context(runtime))
    return await _let_in(request, runtime, account, AuthMethod.PASSWORD)


async def _examine(request: Request, runtime: Runtime, token: str) -> Proof:
    if len(token) > MAX_TOKEN:
        raise TokenInvalid
    return Proof.of(request, await EmailAddresses(runtime, runtime.unit()).peek(token))


async def _proven(
    runtime: Runtime, form: Form, wish: PageVerification, proof: Proof
) -> tuple[Account, AuthMethod]:
    proofs, token = AddressProofs(runtime, runtime.unit()), form.text("token")
    if wish.new_password is not None and not proof.is_change:
        account = await proofs.verify_with_new_password(token, wish.new_password.get_secret_value())
        return account, AuthMethod.EMAIL_LINK
    if wish.password is None:
        raise missing(form, "password")
    return await proofs.verify_with_password(token, wish.password.get_secret_value()), AuthMethod.PASSWORD


async def _let_in(request: Request, runtime: Runtime, account: Account, method: AuthMethod) -> Response:
    sessions = PageSessions(runtime, runtime.unit())
    opened = await sessions.start(account.id, amr=(method,), replaces=present_session(request))
    return forget(runtime, entered(request, runtime, opened, remembered(request, runtime), PROVEN))


def _context(runtime: Runtime, token: str, proof: Proof) -> dict[str, Any]:
    return {"token": token, "proof": proof, "rules": runtime.section(CredentialsSettings)}


def _code_context(runtime: Runtime) -> dict[str, Any]:
    return {"code_minutes": round(runtime.section(TokensSettings).code_lifetime.total_seconds() / 60)}
