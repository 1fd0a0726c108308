"""The roles of an organization, with what they hold in plain words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse, Response

from portico.access.types import RoleFacts
from portico.core.errors import PorticoError
from portico.http.access import requires
from portico.http.markers import without_idempotency
from portico.organizations.naming import parse_name, suggested_slug
from portico.organizations.organization_pages import HOME, OrganizationPage
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.services import Roles, no_check
from portico.organizations.types import OrganizationFacts
from portico.organizations.wording import place_of, plain_words
from portico.users.types import Account
from portico.web.forms import BoxesDep, Form
from portico.web.translations import mark

BOX = "may_"
LONGEST_ROLE_NAME = 40
LONGEST_TITLE = 80

router = APIRouter(
    prefix=HOME + "/{organization_id}/roles",
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[Depends(without_idempotency)],
)
one = APIRouter(
    prefix=HOME + "/{organization_id}/roles/{role_id}",
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[Depends(without_idempotency)],
)


@dataclass(frozen=True, slots=True)
class Box:
    """A permission to tick; one that the caller lacks himself cannot be."""

    name: str
    words: str
    is_held: bool


class RolesPage(OrganizationPage):
    """The list of roles, and the form for one more."""

    template = "organizations/roles.html.jinja"
    tab = "/roles"

    async def content(self, account: Account, organization: OrganizationFacts) -> Mapping[str, Any]:
        """Return what roles can hold, by the part of the product that it is about."""
        return {"boxes": await self.boxes(), "words": plain_words, "in_order": _in_order}

    async def boxes(self) -> Sequence[tuple[str, list[Box]]]:
        """Return the boxes in groups, those of organizations first."""
        roles = Roles(self.runtime, self.runtime.unit())
        groups: dict[str, list[Box]] = {"organization": []}
        known = await roles.list_permissions(self.organization_id, self.principal)
        for each in sorted(known, key=lambda known: place_of(known.name)):
            scope = each.name.partition(":")[0]
            groups.setdefault(scope, []).append(Box(each.name, plain_words(each.name), each.is_held))
        return list(groups.items())


class RolePage(RolesPage):
    """One role that the organization made."""

    template = "organizations/role.html.jinja"

    async def content(self, account: Account, organization: OrganizationFacts) -> Mapping[str, Any]:
        """Return the role and the boxes."""
        return {"role": await self.role(), "boxes": await self.boxes()}

    async def role(self) -> RoleFacts:
        """Return the role of the path.

        Raises:
            RoleNotFound: the organization has none like that (404).
        """
        roles = Roles(self.runtime, self.runtime.unit())
        return await roles.get_role(self.organization_id, self.request.path_params["role_id"])


RolesPageDep = Annotated[RolesPage, Depends(RolesPage)]
RolePageDep = Annotated[RolePage, Depends(RolePage)]


@router.get("", dependencies=[Depends(requires(OrganizationPermission.ROLE_READ))])
async def show_roles(page: RolesPageDep) -> Response:
    """Show the roles."""
    return await page.show()


@router.post("", dependencies=[Depends(requires(OrganizationPermission.ROLE_MANAGE))])
async def create(page: RolesPageDep, form: BoxesDep) -> Response:
    """Make a role."""
    try:
        wish = _wish(form)
        wish["name"] = suggested_slug(wish["title"])[:LONGEST_ROLE_NAME].strip("-")
        roles = Roles(page.runtime, page.runtime.unit())
        await roles.create_role(page.organization_id, wish, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path("/roles"), mark("The role is made."))


@one.get("", dependencies=[Depends(requires(OrganizationPermission.ROLE_READ))])
async def show_role(page: RolePageDep) -> Response:
    """Show one role."""
    return await page.show()


@one.post("", dependencies=[Depends(requires(OrganizationPermission.ROLE_MANAGE))])
async def save(page: RolePageDep, form: BoxesDep) -> Response:
    """Change a role."""
    role_id = page.request.path_params["role_id"]
    try:
        roles = Roles(page.runtime, page.runtime.unit())
        await roles.update_role(
            page.organization_id, role_id, _wish(form), check_version=no_check, actor=page.principal
        )
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path("/roles"), mark("The role is changed."))


@one.post("/delete", dependencies=[Depends(requires(OrganizationPermission.ROLE_MANAGE))])
async def delete(page: RolePageDep) -> Response:
    """Delete a role that nobody holds."""
    role_id = page.request.path_params["role_id"]
    try:
        roles = Roles(page.runtime, page.runtime.unit())
        await roles.delete_role(page.organization_id, role_id, check_version=no_check, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(Form(), refusal)
    return page.done(page.path("/roles"), mark("The role is deleted."))


def _wish(form: Form) -> dict[str, Any]:
    form.only("name", "description", boxes=BOX)
    """Return what was typed and ticked.

    Raises:
        NameMalformed: the title is empty or too long (422).
    """
    return {
        "title": parse_name(form.text("name"), longest=LONGEST_TITLE),
        "description": form.text("description")[:400],
        "permissions": form.checked(BOX),
    }


def _in_order(permissions: Iterable[str]) -> list[str]:
    return sorted(permissions, key=place_of)
