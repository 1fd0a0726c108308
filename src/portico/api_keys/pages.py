"""One's own API keys, as a section of the account: made, shown once, rotated, revoked. All of it without a script.

A new key is shown in the answer to the form itself: nothing keeps it for a second page. Loading that answer again asks
for another key; nothing shows the first one again.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse, Response

from portico.access.roles import RoleBook
from portico.access.services import tenants_of
from portico.api_keys.models import ApiKey
from portico.api_keys.permissions import ApiKeyPermission
from portico.api_keys.repositories import HousekeepingRepository
from portico.api_keys.schemas import PageKeyAct, PageNewKey, state_of
from portico.api_keys.services import ApiKeys
from portico.api_keys.services.scopes import delegable
from portico.api_keys.settings import ApiKeysSettings
from portico.api_keys.types import Belonging, IssuedKey, KeyState, NewKey
from portico.api_keys.wording import words_of
from portico.core.errors import PorticoError
from portico.core.ids import OrganizationId
from portico.core.permissions import Reach
from portico.http.access import requires
from portico.http.markers import limited, without_idempotency
from portico.users.account_pages import AccountPage
from portico.users.ports import Reauthentication
from portico.users.types import Account
from portico.web.forms import Form, FormDep
from portico.web.rendering import render
from portico.web.translations import mark

PATH: Final = "/account/api-keys"
SCOPE: Final = "scope."
"""Before the name of a box that stands for a scope."""
AGES: Final = (7, 30, 90, 180, 365)
"""For how many days a key may be made, as far as the settings allow."""

router = APIRouter(
    default_response_class=HTMLResponse, include_in_schema=False, dependencies=[Depends(without_idempotency)]
)


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key in the list."""

    row: ApiKey
    state: KeyState
    organization: str | None
    scopes: tuple[str, ...]
    """In plain words."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A box to tick."""

    name: str
    label: str


class ApiKeysPage(AccountPage):
    """The list, and the form for one more."""

    template = "api_keys/keys.html.jinja"
    issued: IssuedKey | None = None
    """What was made just now; shown this once."""

    async def more(self, account: Account) -> dict[str, Any]:
        """Return the keys that are good for something, the newest first, and what a new one may be given."""
        now = self.runtime.clock.now()
        rows = await self.keys.list_all(Belonging(user_id=account.id))
        organizations = await self._organizations(rows)
        shown = [self._shown(row, state_of(row, now), organizations) for row in rows]
        book, roles = self.runtime.get(RoleBook), self.principal.roles
        possible = delegable(self.runtime, in_organization=bool(organizations.own), beyond=True)
        groups: dict[Reach, list[Choice]] = {reach: [] for reach in Reach}
        for permission in possible:
            if permission.reach is Reach.PLATFORM and not book.platform_holds(roles, permission.value):
                continue
            groups[permission.reach].append(Choice(SCOPE + permission.value, words_of(permission.value)))
        settings = self.runtime.section(ApiKeysSettings)
        return {
            "keys": [key for key in shown if key.state in {KeyState.ACTIVE, KeyState.ROTATED}],
            "over": [key for key in shown if key.state not in {KeyState.ACTIVE, KeyState.ROTATED}],
            "organizations": organizations.own,
            "own_scopes": groups[Reach.SELF],
            "organization_scopes": groups[Reach.ORGANIZATION],
            "platform_scopes": groups[Reach.PLATFORM],
            "ages": [days for days in AGES if timedelta(days=days) <= settings.max_age],
            "usual_age": settings.default_age.days,
            "overlap_hours": int(settings.overlap.total_seconds() // 3_600),
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

    async def _organizations(self, rows: Any) -> "Organizations":
        async with self.runtime.reads() as session:
            own = await tenants_of(session, self.principal.id)
            names = HousekeepingRepository(session)
            concerned = {*own, *(row.organization_id for row in rows if row.organization_id)}
            named = {each: await names.name_of(each) or str(each) for each in concerned}
        return Organizations([(str(each), named[each]) for each in own], named)

    def _shown(self, row: ApiKey, state: KeyState, organizations: "Organizations") -> ShownKey:
        where = organizations.names.get(row.organization_id) if row.organization_id else None
        return ShownKey(row, state, where, tuple(words_of(scope) for scope in row.scopes))


@dataclass(frozen=True, slots=True)
class Organizations:
    """Those to which the person belongs, to choose from; and the names of all that are spoken of."""

    own: list[tuple[str, str]]
    names: dict[UUID, str]


ApiKeysPageDep = Annotated[ApiKeysPage, Depends(ApiKeysPage)]


@router.get(PATH, dependencies=[Depends(requires(ApiKeyPermission.LIST_OWN))])
async def show_keys(page: ApiKeysPageDep) -> Response:
    """Show the list."""
    return await page.show()


@router.post(PATH, dependencies=[Depends(requires(ApiKeyPermission.CREATE_OWN)), Depends(limited("sign_in"))])
async def make_key(page: ApiKeysPageDep, form: FormDep) -> Response:
    """Make a key and show it this once; the password is asked for."""
    try:
        wish = form_without_scopes(form).parse(PageNewKey)
        await confirm(page, wish.password.get_secret_value() if wish.password else None)
        issued = await page.keys.create_own(_new_key(page, wish, scopes_in(form)), actor=page.principal)
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
        await confirm(page, wish.password.get_secret_value() if wish.password else None)
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


async def confirm(page: ApiKeysPage, password: str | None) -> None:
    """Have the person prove that it is he, by his password or a sign-in of the last minutes."""
    await page.runtime.get(Reauthentication).confirm(page.principal, password)


def scopes_in(form: Form) -> list[str]:
    """Return the scopes whose boxes were ticked."""
    return [name.removeprefix(SCOPE) for name in form.values if name.startswith(SCOPE)]


def form_without_scopes(form: Form) -> Form:
    """Return the rest of the form, which is read like any other."""
    return Form({name: value for name, value in form.values.items() if not name.startswith(SCOPE)})


def _new_key(page: ApiKeysPage, wish: PageNewKey, scopes: list[str]) -> NewKey:
    return NewKey(
        name=wish.name,
        scopes=scopes,
        organization_id=OrganizationId(wish.organization_id) if wish.organization_id else None,
        networks=wish.networks.split() if wish.networks else (),
        expires_at=page.runtime.clock.now() + timedelta(days=wish.days),
    )
