"""The page on which a person lets in a device that shows a code (RFC 8628, sections 3.3 and 5.4; row 16.1).

An address that carries the code fills the field and no more: whoever was sent a link by a stranger is still shown who
asks, from where and since when, and asked whether he began this himself.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from portico.core.errors import PorticoError
from portico.core.ids import UserId
from portico.http.access import require_principal, requires
from portico.http.markers import without_idempotency
from portico.oauth.errors import ClientKeptOut
from portico.oauth.pages.consent import PLACE
from portico.oauth.pages.questions import access_groups, asker_of
from portico.oauth.permissions import OAuthPermission
from portico.oauth.protocol.rfc9396_authorization_details import shown_details
from portico.oauth.services.authorizing import Choice
from portico.oauth.services.details import DetailsBook
from portico.oauth.services.devices import PAGE as PATH, Devices, WaitingDevice
from portico.oauth.services.resources import ResourceBook
from portico.runtime import Runtime
from portico.users.services import Users
from portico.web.forms import Form, FormDep
from portico.web.rendering import render, see_other

ENTRY = "oauth/device.html.jinja"
QUESTION = "oauth/device_question.html.jinja"
ANSWERED = "oauth/device_answered.html.jinja"
MAX_TYPED = 40

router = APIRouter(
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(requires(OAuthPermission.SELF_AUTHORIZE)), Depends(without_idempotency)],
)


@router.get(PATH)
async def show_entry(request: Request, user_code: Annotated[str, Query()] = "") -> Response:
    """Ask for the code that the device shows."""
    return render(request, ENTRY, user_code=user_code[:MAX_TYPED], language=await _language(request))


@router.post(PATH)
async def take_code_or_answer(request: Request, form: FormDep) -> Response:
    """Take the code and show who asks; with `action=approve` or `action=deny` besides, take the answer."""
    runtime: Runtime = request.app.state.runtime
    devices, principal = Devices(runtime), require_principal(request)
    code, seal = form.text("user_code"), form.text("seal")
    try:
        form.only("user_code", "seal", "action", PLACE)
        match form.text("action"):
            case "approve":
                await devices.approve(code, principal, seal=seal, choice=_choice(form))
                return see_other(request, f"{PATH}/approved")
            case "deny":
                await devices.deny(code, principal, seal=seal)
                return see_other(request, f"{PATH}/denied")
        waiting = await devices.find_waiting(code, principal, seal=seal)
    except PorticoError as refusal:
        return await _again(request, form, refusal)
    return render(request, QUESTION, language=await _language(request), **await _described(runtime, waiting))


@router.get(f"{PATH}/approved")
async def show_approved(request: Request) -> Response:
    """Send the person back to the device."""
    return render(request, ANSWERED, is_approved=True, language=await _language(request))


@router.get(f"{PATH}/denied")
async def show_denied(request: Request) -> Response:
    """Tell the person that the device was not let in."""
    return render(request, ANSWERED, is_approved=False, language=await _language(request))


async def _language(request: Request) -> str:
    """Return the person's own: the page is a part of the account, however it looks."""
    runtime: Runtime = request.app.state.runtime
    account = await Users(runtime, runtime.unit()).get_user(UserId(require_principal(request).id))
    return account.locale


async def _again(request: Request, form: Form, refusal: PorticoError) -> Response:
    language = await _language(request)
    response = render(
        request, ENTRY, refusal.status, form=form.refused(refusal), user_code="", language=language
    )
    response.headers.update(refusal.headers)
    return response


def _choice(form: Form) -> Choice | None:
    """Return where the client is to work; None where the form says nothing of it.

    Raises:
        ClientKeptOut: it is no organization at all.
    """
    text = form.values.get(PLACE)
    if text is None:
        return None
    try:
        return Choice(UUID(text) if text else None)
    except ValueError:
        raise ClientKeptOut from None


async def _described(runtime: Runtime, waiting: WaitingDevice) -> dict[str, Any]:
    client = waiting.client
    book, types = runtime.get(ResourceBook), runtime.get(DetailsBook).types
    resources = [await book.find(each) for each in waiting.found.resources]
    return {
        "waiting": waiting,
        "asker": asker_of(client.client_id, client.source, client.metadata),
        "access": access_groups(waiting.scopes, [each for each in resources if each is not None]),
        "details": [shown_details(detail, types) for detail in waiting.found.details],
    }
