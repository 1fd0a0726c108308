"""One's own API keys, as a section of the account."""

from collections.abc import Iterable
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse, Response

from portico.access.roles import RoleBook
from portico.access.services import tenants_of
from portico.api_keys.models import ApiKey
from portico.api_keys.pages.forms import Choice, bounds, confirm, listed, new_key, without_scopes
from portico.api_keys.permissions import ApiKeyPermission
from portico.api_keys.repositories import HousekeepingRepository
from portico.api_keys.schemas import PageKeyAct, PageNewKey
from portico.api_keys.services import ApiKeys
from portico.api_keys.services.scopes import delegable
from portico.api_keys.types import Belonging, IssuedKey
from portico.core.errors import PorticoError
from portico.core.permissions import Reach
from portico.http.access import requires
from portico.http.markers import limited, without_idempotency
from portico.users.account_pages import AccountPage
from portico.users.types import Account
from portico.web.forms import BoxesDep, FormDep
from portico.web.rendering import render
from portico.web.translations import mark

PATH: Final = "/account/api-keys"

router = APIRouter(
    default_response_class=HTMLResponse, include_in_schema=False, dependencies=[Depends(without_idempotency)]
)


class ApiKeysPage(AccountPage):
    """The list, and the form for one more."""

    template = "api_keys/keys.html.jinja"
    issued: IssuedKey | None = None
    """What was made just now; shown this once."""

    async def more(self, account: Account) -> dict[str, Any]:
        """Return the keys, the newest first, and what a new one may be given."""
        rows = await self.keys.list_all(Belonging(user_id=account.id))
        own, names = await self._organizations(rows)
        return {
            **listed(self.runtime, rows, names),
            **bounds(self.runtime),
            **self._choices(is_member=bool(own)),
            "organizations": [(str(each), names[each]) for each in own],
            "issued": self.issued,
        }

    @property
    def keys(self) -> ApiKeys:
        """Return the service, with a unit of its own for each use."""
        return ApiKeys(self.runtime, self.runtime.unit())

    async def show_issued(self, issued: IssuedKey) -> Response:
        """Return the page with the text of a key, this once."""
        self.issued = issued
        return render(self.request, self.template, **await self._context())

    def _choices(self, *, is_member: bool) -> dict[str, list[Choice]]:
        book, roles = self.runtime.get(RoleBook), self.principal.roles
        found: dict[Reach, list[Choice]] = {reach: [] for reach in Reach}
        for each in delegable(self.runtime, in_organization=is_member, beyond=True):
            if each.reach is not Reach.PLATFORM or book.platform_holds(roles, each.value):
                found[each.reach].append(Choice.of(each.value))
        return {
            "own_scopes": found[Reach.SELF],
            "organization_scopes": found[Reach.ORGANIZATION],
            "platform_scopes": found[Reach.PLATFORM],
        }

    async def _organizations(self, rows: Iterable[ApiKey]) -> tuple[list[Any], dict[UUID, str]]:
        """Return those to which the person belongs, and the names of all that are spoken of."""
        async with self.runtime.reads() as session:
            own = await tenants_of(session, self.principal.id)
            concerned = {*own, *(row.organization_id for row in rows if row.organization_id)}
            keys = HousekeepingRepository(session)
            return own, {each: await keys.name_of(each) or str(each) for each in concerned}


ApiKeysPageDep = Annotated[ApiKeysPage, Depends(ApiKeysPage)]


@router.get(PATH, dependencies=[Depends(requires(ApiKeyPermission.LIST_OWN))])
async def show_keys(page: ApiKeysPageDep) -> Response:
    """Show the list."""
    return await page.show()


@router.post(PATH, dependencies=[Depends(requires(ApiKeyPermission.CREATE_OWN)), Depends(limited("sign_in"))])
async def make_key(page: ApiKeysPageDep, form: BoxesDep) -> Response:
    """Make a key and show it this once; the password is asked for."""
    try:
        wish = without_scopes(form).parse(PageNewKey)
        await confirm(page, wish)
        issued = await page.keys.create_own(new_key(page, wish, form), actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return await page.show_issued(issued)


@router.post(
    f"{PATH}/rotate",
    dependencies=[Depends(requires(ApiKeyPermission.ROTATE_OWN)), Depends(limited("sign_in"))],
)
async def rotate_key(page: ApiKeysPageDep, form: FormDep) -> Response:
    """Put a new key in the place of an old one and show it this once; the password is asked for."""
    try:
        wish = form.parse(PageKeyAct)
        await confirm(page, wish)
        issued = await page.keys.rotate_key(
            wish.key_id, Belonging(user_id=page.user_id), actor=page.principal
        )
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return await page.show_issued(issued)


@router.post(f"{PATH}/revoke", dependencies=[Depends(requires(ApiKeyPermission.REVOKE_OWN))])
async def revoke_key(page: ApiKeysPageDep, form: FormDep) -> Response:
    """End a key."""
    try:
        key_id = form.parse(PageKeyAct).key_id
        await page.keys.revoke_key(key_id, Belonging(user_id=page.user_id), actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(PATH, mark("The API key is revoked. Whatever still uses it is refused from now on."))
