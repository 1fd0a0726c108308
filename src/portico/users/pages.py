"""The account's pages about the person: profile, e-mail address, export, deletion.

A form that worked leads on by GET; one that was refused is shown again with what was wrong.
"""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse, Response

from portico.core.errors import PorticoError
from portico.http.access import requires
from portico.http.markers import limited, without_idempotency
from portico.users.account_pages import AccountPage
from portico.users.addresses import parse_address
from portico.users.dependencies import EmailAddressesDep, PersonalDataExportDep, UsersDep
from portico.users.permissions import UserPermission
from portico.users.ports import Reauthentication
from portico.users.schemas import AccountDeletion, EmailChange, ProfileUpdate
from portico.users.services import ProfileChanges
from portico.users.settings import UsersSettings
from portico.users.types import Account
from portico.web.forms import FormDep
from portico.web.languages import OWN_NAMES
from portico.web.translations import mark

router = APIRouter(
    default_response_class=HTMLResponse, include_in_schema=False, dependencies=[Depends(without_idempotency)]
)


class ProfilePage(AccountPage):
    """Profile and e-mail address."""

    template = "users/profile.html.jinja"

    async def more(self, account: Account) -> dict[str, Any]:
        """Return the languages to choose from, in their own words."""
        codes = self.runtime.section(UsersSettings).locales
        return {"languages": [(code, OWN_NAMES.get(code, code)) for code in codes]}


class DataPage(AccountPage):
    """Export and deletion."""

    template = "users/data.html.jinja"

    async def more(self, account: Account) -> dict[str, Any]:
        """Return how long a deleted account is kept."""
        return {"grace_days": self.runtime.section(UsersSettings).deletion_grace.days}


ProfilePageDep = Annotated[ProfilePage, Depends(ProfilePage)]
DataPageDep = Annotated[DataPage, Depends(DataPage)]


@router.get("/account", dependencies=[Depends(requires(UserPermission.SELF_READ))])
async def show_profile(page: ProfilePageDep) -> Response:
    """Show the profile and the e-mail address."""
    return await page.show()


@router.post("/account", dependencies=[Depends(requires(UserPermission.SELF_UPDATE))])
async def save_profile(page: ProfilePageDep, users: UsersDep, form: FormDep) -> Response:
    """Change the profile; a name left empty is taken away."""
    try:
        update = form.parse(ProfileUpdate, clearing={"full_name", "username"})
        changes = ProfileChanges.of(update.sent())
        await users.update_profile(page.user_id, changes, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done("/account", mark("Your profile was saved."))


@router.post(
    "/account/email",
    dependencies=[Depends(requires(UserPermission.SELF_CHANGE_EMAIL)), Depends(limited("sign_in"))],
)
async def change_email(page: ProfilePageDep, addresses: EmailAddressesDep, form: FormDep) -> Response:
    """Send a message to the new address; a taken one gets the same answer."""
    try:
        wish = form.parse(EmailChange)
        await addresses.request_change(page.principal, parse_address(wish.email), _password(wish))
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done("/account", mark("We sent a message to the new address. Confirm it there."))


@router.post(
    "/account/email/resend",
    dependencies=[Depends(requires(UserPermission.SELF_CHANGE_EMAIL)), Depends(limited("sign_in"))],
)
async def resend_message(page: ProfilePageDep, users: UsersDep, addresses: EmailAddressesDep) -> Response:
    """Send the message that proves the address again, within its limits."""
    account = await users.get_user(page.user_id)
    await addresses.resend(parse_address(account.email))
    return page.done("/account", mark("The message is on its way. It may take a minute."))


@router.get("/account/data", dependencies=[Depends(requires(UserPermission.SELF_READ))])
async def show_data(page: DataPageDep) -> Response:
    """Show how to take one's data along, and how to leave."""
    return await page.show()


@router.post("/account/data/export", dependencies=[Depends(requires(UserPermission.SELF_EXPORT))])
async def download_data(page: DataPageDep, export: PersonalDataExportDep) -> Response:
    """Return everything that is kept about the person as a file; a post, because it is written on the trail."""
    data = await export.export_data(page.user_id, actor=page.principal)
    headers = {"Content-Disposition": 'attachment; filename="my-data.json"', "Cache-Control": "no-store"}
    content = json.dumps(data, indent=2, ensure_ascii=False)
    return Response(content, headers=headers, media_type="application/json")


@router.post(
    "/account/data/delete",
    dependencies=[Depends(requires(UserPermission.SELF_DELETE)), Depends(limited("sign_in"))],
)
async def delete_account(page: DataPageDep, users: UsersDep, form: FormDep) -> Response:
    """Close the account; the password is asked for."""
    try:
        password = _password(form.parse(AccountDeletion))
        reauthentication = page.runtime.get(Reauthentication)
        await reauthentication.confirm(page.principal, password)
        await users.delete_account(page.user_id, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done("/login", mark("Your account is closed. Take care!"))


def _password(wish: EmailChange | AccountDeletion) -> str | None:
    return wish.password.get_secret_value() if wish.password else None
