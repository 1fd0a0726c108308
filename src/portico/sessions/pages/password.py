"""Changing the password of the account that is signed in."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse, Response

from portico.core.errors import PorticoError
from portico.credentials.permissions import CredentialPermission
from portico.credentials.schemas import PasswordChangeRequest
from portico.credentials.services import PasswordChange
from portico.credentials.settings import CredentialsSettings
from portico.http.access import requires
from portico.http.markers import limited, without_idempotency
from portico.sessions.entering import present_session, set_page_cookie
from portico.sessions.services import PageSessions
from portico.users.account_pages import AccountPage
from portico.users.types import Account
from portico.web.forms import FormDep
from portico.web.translations import mark

router = APIRouter(
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[
        Depends(requires(CredentialPermission.SELF_CHANGE_PASSWORD)),
        Depends(without_idempotency),
    ],
)


class PasswordPage(AccountPage):
    """The form for a new password."""

    template = "sessions/password.html.jinja"
    password_field = "current_password"

    async def more(self, account: Account) -> dict[str, Any]:
        """Return what is asked of a password."""
        return {"rules": self.runtime.section(CredentialsSettings)}


PasswordPageDep = Annotated[PasswordPage, Depends(PasswordPage)]


@router.get("/account/password")
async def show_password(page: PasswordPageDep) -> Response:
    """Show the form."""
    return await page.show()


@router.post("/account/password", dependencies=[Depends(limited("sign_in"))])
async def change_password(page: PasswordPageDep, form: FormDep) -> Response:
    """Change the password: all other sessions end, and this one gets a new cookie (ASVS 5.0 V7.2.4)."""
    runtime = page.runtime
    try:
        wish = form.parse(PasswordChangeRequest)
        current, new = wish.current_password.get_secret_value(), wish.new_password.get_secret_value()
        await PasswordChange(runtime, runtime.unit()).change_password(page.principal, current, new)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    response = page.done(
        "/account/password", mark("Your password is changed. All other devices are signed out.")
    )
    session_id = present_session(page.request)
    if session_id is not None:
        set_page_cookie(response, runtime, await PageSessions(runtime, runtime.unit()).renew(session_id))
    return response
