"""One's organizations: the list, making one, choosing the active one, having a deleted one back."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import HTMLResponse, Response

from portico.access.services import TenantRoles
from portico.core.errors import PorticoError
from portico.core.ids import OrganizationId
from portico.http.access import requires
from portico.http.markers import without_idempotency
from portico.http.schemas import RequestModel
from portico.organizations.organization_pages import HOME, titles_of
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.schemas import CreateOrganizationRequest, OrganizationListQuery
from portico.organizations.services import (
    NewOrganization,
    OrganizationLifecycle,
    Organizations,
    Switching,
)
from portico.organizations.settings import OrganizationsSettings
from portico.organizations.types import Creation
from portico.users.account_pages import AccountPage
from portico.users.types import Account
from portico.web.forms import FormDep
from portico.web.translations import mark

MOST_SHOWN = 100

router = APIRouter(
    default_response_class=HTMLResponse, include_in_schema=False, dependencies=[Depends(without_idempotency)]
)


class PageSwitch(RequestModel):
    """The form of the button; without an id: in none."""

    organization_id: UUID | None = Field(None, strict=False)


class PageRestore(RequestModel):
    """The form of the button."""

    organization_id: UUID = Field(strict=False)
    slug: str | None = Field(None, max_length=80)


class OrganizationsPage(AccountPage):
    """The list."""

    template = "organizations/list.html.jinja"

    async def more(self, account: Account) -> dict[str, Any]:
        """Return the organizations of the person, and those that he can have back."""
        organizations = Organizations(self.runtime, self.runtime.unit())
        living = OrganizationListQuery(page_size=MOST_SHOWN)
        deleted = OrganizationListQuery(page_size=MOST_SHOWN, deleted=True)
        gone = (await organizations.list_own(self.principal, deleted)).data
        settings = self.runtime.section(OrganizationsSettings)
        roles = TenantRoles(self.runtime, self.runtime.unit()).system_roles()
        return {
            "memberships": (await organizations.list_own(self.principal, living)).data,
            "deleted": [each for each in gone if "owner" in each.roles],
            "may_create": settings.creation is Creation.ANYONE,
            "grace": settings.deletion_grace,
            "role_titles": titles_of(roles),
        }


OrganizationsPageDep = Annotated[OrganizationsPage, Depends(OrganizationsPage)]


@router.get(HOME, dependencies=[Depends(requires(OrganizationPermission.LIST_OWN))])
async def show_organizations(page: OrganizationsPageDep) -> Response:
    """Show the list."""
    return await page.show()


@router.post(HOME, dependencies=[Depends(requires(OrganizationPermission.CREATE_OWN))])
async def create(page: OrganizationsPageDep, form: FormDep) -> Response:
    """Make an organization and work in it."""
    runtime = page.runtime
    try:
        wish = form.parse(CreateOrganizationRequest)
        new = NewOrganization(name=wish.name, slug=wish.slug)
        organizations = Organizations(runtime, runtime.unit())
        made = await organizations.create_own(
            new, actor=page.principal, works_there=page.principal.session_id is not None
        )
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(f"{HOME}/{made.id}", mark("Your organization is ready. Invite the others."))


@router.post(f"{HOME}/switch", dependencies=[Depends(requires(OrganizationPermission.SWITCH))])
async def switch(page: OrganizationsPageDep, form: FormDep) -> Response:
    """Work in another organization from now on."""
    try:
        wanted = form.parse(PageSwitch).organization_id
        organization_id = OrganizationId(wanted) if wanted else None
        await Switching(page.runtime, page.runtime.unit()).switch(page.principal, organization_id)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(HOME, mark("You work in another organization now."))


@router.post(f"{HOME}/restore", dependencies=[Depends(requires(OrganizationPermission.RESTORE_OWN))])
async def restore(page: OrganizationsPageDep, form: FormDep) -> Response:
    """Have a deleted organization back."""
    try:
        wish = form.parse(PageRestore)
        lifecycle = OrganizationLifecycle(page.runtime, page.runtime.unit())
        await lifecycle.restore_own(
            OrganizationId(wish.organization_id), slug=wish.slug, actor=page.principal
        )
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(HOME, mark("The organization is back."))
