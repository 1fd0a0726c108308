"""An organization's keys and service accounts, beside its other pages."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse, Response

from portico.api_keys.pages.forms import Choice, bounds, confirm, listed, new_key, without_scopes
from portico.api_keys.permissions import ApiKeyPermission
from portico.api_keys.schemas import (
    PageAccountAct,
    PageKeyAct,
    PageNewAccount,
    PageNewKey,
    ServiceAccountListQuery,
)
from portico.api_keys.services import ApiKeys, ServiceAccounts
from portico.api_keys.services.scopes import delegable
from portico.api_keys.types import Belonging, IssuedKey, NewServiceAccount
from portico.core.errors import PorticoError
from portico.http.access import requires
from portico.http.markers import limited, without_idempotency
from portico.organizations.organization_pages import HOME, OrganizationPage
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.types import OrganizationFacts
from portico.users.types import Account
from portico.web.forms import BoxesDep, FormDep
from portico.web.rendering import render
from portico.web.translations import mark

KEYS: Final = "/api-keys"

router = APIRouter(
    prefix=HOME + "/{organization_id}" + KEYS,
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[Depends(without_idempotency)],
)


class OrganizationKeysPage(OrganizationPage):
    """Service accounts and keys, and the forms for one more."""

    template = "api_keys/organization.html.jinja"
    tab = KEYS
    issued: IssuedKey | None = None
    """What was made just now; shown this once."""

    async def content(self, account: Account, organization: OrganizationFacts) -> Mapping[str, Any]:
        """Return keys and service accounts, the newest first, and what a new key may be given."""
        found = await self.accounts.list_accounts(
            self.organization_id, ServiceAccountListQuery(page_size=100)
        )
        rows = await self.keys.list_all(self.belonging)
        return {
            **listed(self.runtime, rows, {each.id: each.name for each in found.data}),
            **bounds(self.runtime),
            "accounts": found.data,
            "scopes": [
                Choice.of(each.value) for each in delegable(self.runtime, in_organization=True, beyond=False)
            ],
            "issued": self.issued,
        }

    @property
    def belonging(self) -> Belonging:
        """Return whose keys the page speaks of."""
        return Belonging(organization_id=self.organization_id)

    @property
    def keys(self) -> ApiKeys:
        """Return the service, with a unit of its own for each use."""
        return ApiKeys(self.runtime, self.runtime.unit())

    @property
    def accounts(self) -> ServiceAccounts:
        """Return the service, with a unit of its own for each use."""
        return ServiceAccounts(self.runtime, self.runtime.unit())

    async def show_issued(self, issued: IssuedKey) -> Response:
        """Return the page with the text of a key, this once."""
        self.issued = issued
        return render(self.request, self.template, **await self._context())


PageDep = Annotated[OrganizationKeysPage, Depends(OrganizationKeysPage)]
MANAGES_KEYS = Depends(requires(OrganizationPermission.API_KEY_MANAGE))
MANAGES_ACCOUNTS = Depends(requires(ApiKeyPermission.SERVICE_ACCOUNT_MANAGE))


@router.get("", dependencies=[Depends(requires(OrganizationPermission.API_KEY_READ))])
async def show_keys(page: PageDep) -> Response:
    """Show the lists."""
    return await page.show()


@router.post("", dependencies=[MANAGES_KEYS, Depends(limited("sign_in"))])
async def make_key(page: PageDep, form: BoxesDep) -> Response:
    """Make a key and show it this once; the password is asked for."""
    try:
        wish = without_scopes(form).parse(PageNewKey)
        await confirm(page, wish)
        new = new_key(page, wish, form, page.organization_id)
        issued = await page.keys.create_for_organization(new, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return await page.show_issued(issued)


@router.post("/rotate", dependencies=[MANAGES_KEYS, Depends(limited("sign_in"))])
async def rotate_key(page: PageDep, form: FormDep) -> Response:
    """Put a new key in the place of an old one and show it this once; the password is asked for."""
    try:
        wish = form.parse(PageKeyAct)
        await confirm(page, wish)
        issued = await page.keys.rotate_key(wish.key_id, page.belonging, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return await page.show_issued(issued)


@router.post("/revoke", dependencies=[MANAGES_KEYS])
async def revoke_key(page: PageDep, form: FormDep) -> Response:
    """End a key."""
    try:
        await page.keys.revoke_key(form.parse(PageKeyAct).key_id, page.belonging, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    done = mark("The API key is revoked. Whatever still uses it is refused from now on.")
    return page.done(page.path(KEYS), done)


@router.post("/service-accounts", dependencies=[MANAGES_ACCOUNTS])
async def make_account(page: PageDep, form: FormDep) -> Response:
    """Make a service account with one role; more of them are given by the API."""
    try:
        wish = form.parse(PageNewAccount)
        new = NewServiceAccount(name=wish.account_name, roles=[wish.role])
        await page.accounts.create_account(page.organization_id, new, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(KEYS), mark("The service account is made. Now make a key for it."))


@router.post("/service-accounts/disable", dependencies=[MANAGES_ACCOUNTS])
async def disable_account(page: PageDep, form: FormDep) -> Response:
    """Switch a service account off."""
    try:
        account_id = form.parse(PageAccountAct).account_id
        await page.accounts.disable_account(page.organization_id, account_id, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(KEYS), mark("The service account is switched off; its keys are refused."))


@router.post("/service-accounts/enable", dependencies=[MANAGES_ACCOUNTS])
async def enable_account(page: PageDep, form: FormDep) -> Response:
    """Switch a service account on."""
    try:
        account_id = form.parse(PageAccountAct).account_id
        await page.accounts.enable_account(page.organization_id, account_id, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(KEYS), mark("The service account is switched on; its keys are good again."))


@router.post("/service-accounts/delete", dependencies=[MANAGES_ACCOUNTS])
async def delete_account(page: PageDep, form: FormDep) -> Response:
    """Delete a service account."""
    try:
        account_id = form.parse(PageAccountAct).account_id
        await page.accounts.delete_account(
            page.organization_id, account_id, check_version=_any_version, actor=page.principal
        )
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(KEYS), mark("The service account is deleted, and its keys are revoked."))


def _any_version(_version: int) -> None:
    """Let every version pass: a page states none."""
