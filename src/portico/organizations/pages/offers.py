"""The page behind the link of an invitation, and the list of one's own.

Opening it changes nothing: mail programs open links by themselves. It says where to, by whom and as what; whoever is
signed in with the address that was invited answers by a button, and works in the organization from then on.
"""

from enum import StrEnum
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field, SecretStr
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from portico.core.errors import PorticoError
from portico.core.ids import UserId
from portico.credentials.errors import InvitationInvalid
from portico.http.access import find_principal, public, requires
from portico.http.authentication import Principal
from portico.http.dependencies import PrincipalDep, RuntimeDep
from portico.http.markers import limited, without_idempotency
from portico.http.schemas import RequestModel
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.schemas.invitations import MAX_SECRET
from portico.organizations.services.invitation_answers import InvitationAnswers
from portico.organizations.types import OfferedMembership
from portico.runtime import Runtime
from portico.users.services import Users
from portico.users.settings import UsersSettings
from portico.users.types import RegistrationMode
from portico.web.forms import Form, FormDep
from portico.web.redirects import HOME
from portico.web.rendering import refused, render, see_other
from portico.web.translations import mark

OFFER = "organizations/offer.html.jinja"
OFFERS = "organizations/offers.html.jinja"
OVER = "organizations/offer_over.html.jinja"

router = APIRouter(
    default_response_class=HTMLResponse, include_in_schema=False, dependencies=[Depends(without_idempotency)]
)


class Guest(StrEnum):
    """Who opened the link."""

    NOBODY = "nobody"
    """Not signed in."""
    INVITED = "invited"
    """Signed in with the address that was invited."""
    UNPROVEN = "unproven"
    """The same, but nobody has confirmed the address."""
    OTHER = "other"
    """Signed in with another address."""


class PageAnswer(RequestModel):
    """The form of the buttons: which invitation is answered."""

    token: SecretStr | None = Field(None, min_length=1, max_length=MAX_SECRET)
    invitation_id: UUID | None = Field(None, strict=False)


@router.get("/invitations", dependencies=[Depends(public)])
async def show_invitation(request: Request, runtime: RuntimeDep) -> Response:
    """Show what a link offers, or without a link the invitations of whoever is signed in; changes nothing."""
    token = request.query_params.get("token")
    principal = find_principal(request)
    if token is not None:
        return await _show_offer(request, runtime, token)
    if principal is None:
        return see_other(request, "/login?next=/invitations")
    return await _show_offers(request, runtime, principal)


@router.post(
    "/invitations/accept",
    dependencies=[Depends(requires(OrganizationPermission.JOIN)), Depends(limited("sign_in"))],
)
async def accept(request: Request, runtime: RuntimeDep, principal: PrincipalDep, form: FormDep) -> Response:
    """Become a member; the session works there from now on."""
    answers = InvitationAnswers(runtime, runtime.unit())
    try:
        answer = form.parse(PageAnswer)
        if answer.token is not None:
            token = answer.token.get_secret_value()
            await answers.accept_by_token(token, principal=principal, enters=True)
        else:
            await answers.accept(_chosen(answer), principal=principal, enters=True)
    except PorticoError as refusal:
        return _over(request, refusal)
    return see_other(request, HOME, mark("Welcome! You have joined."))


@router.post(
    "/invitations/decline",
    dependencies=[Depends(requires(OrganizationPermission.JOIN)), Depends(limited("sign_in"))],
)
async def decline(request: Request, runtime: RuntimeDep, principal: PrincipalDep, form: FormDep) -> Response:
    """Answer no."""
    answers = InvitationAnswers(runtime, runtime.unit())
    try:
        answer = form.parse(PageAnswer)
        if answer.token is not None:
            await answers.decline_by_token(answer.token.get_secret_value(), principal=principal)
        else:
            await answers.decline(_chosen(answer), principal=principal)
    except PorticoError as refusal:
        return _over(request, refusal)
    return see_other(request, HOME, mark("You have declined the invitation."))


def _over(request: Request, refusal: PorticoError) -> Response:
    """Say why; the page has no field that a fault could lead to."""
    refusal.errors = ()
    return refused(request, OVER, Form(), refusal)


def _chosen(answer: PageAnswer) -> UUID:
    if answer.invitation_id is None:
        raise InvitationInvalid
    return answer.invitation_id


async def _show_offer(request: Request, runtime: Runtime, token: str) -> Response:
    try:
        if not token or len(token) > MAX_SECRET:
            raise InvitationInvalid
        offer = await InvitationAnswers(runtime, runtime.unit()).peek(token)
    except PorticoError as refusal:
        return _over(request, refusal)
    guest, own_email = await _guest_of(request, runtime, offer)
    context: dict[str, Any] = {
        "offer": offer,
        "token": token,
        "guest": guest.value,
        "own_email": own_email,
        "may_sign_up": runtime.section(UsersSettings).registration is not RegistrationMode.CLOSED,
    }
    return render(request, OFFER, **context)


async def _show_offers(request: Request, runtime: Runtime, principal: Principal) -> Response:
    offers = await InvitationAnswers(runtime, runtime.unit()).list_offers(UserId(principal.id))
    return render(request, OFFERS, offers=offers)


async def _guest_of(request: Request, runtime: Runtime, offer: OfferedMembership) -> tuple[Guest, str | None]:
    principal = find_principal(request)
    account = None
    if principal is not None:
        account = await Users(runtime, runtime.unit()).find_user(UserId(principal.id))
    if account is None:
        return Guest.NOBODY, None
    if account.email_normal_form != offer.invitation.address:
        return Guest.OTHER, account.email
    return (Guest.INVITED if account.email_verified else Guest.UNPROVEN), account.email
