"""The members of an organization: list and search, roles, putting out; and what happened there."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import HTMLResponse, Response

from portico.audit.schemas import OrganizationTrailQuery
from portico.audit.services import Trail
from portico.core.errors import PorticoError
from portico.http.access import requires
from portico.http.markers import without_idempotency
from portico.http.pagination import MAX_CURSOR
from portico.http.schemas import RequestModel, Text
from portico.organizations.errors import MemberNotFound, NothingTicked
from portico.organizations.organization_pages import HOME, OrganizationPage
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.schemas import MemberListQuery
from portico.organizations.services import Members
from portico.organizations.types import OrganizationFacts
from portico.organizations.wording import ACTS
from portico.users.types import Account
from portico.web.forms import BoxesDep, FormDep
from portico.web.translations import mark

ROLE = "role_"
PAGE_SIZE = 25
NOTHING = "\u2013"
"""A dash, where nothing was or is."""

router = APIRouter(
    prefix=HOME + "/{organization_id}",
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[Depends(without_idempotency)],
)

Words = Annotated[Text | None, Query(max_length=200)]
CursorText = Annotated[Text | None, Query(max_length=MAX_CURSOR)]


class PageMember(RequestModel):
    """Of whom a form speaks."""

    user_id: UUID = Field(strict=False)


class MembersPage(OrganizationPage):
    """The list of members."""

    template = "organizations/members.html.jinja"
    words: str | None = None
    cursor: str | None = None

    async def content(self, account: Account, organization: OrganizationFacts) -> Mapping[str, Any]:
        """Return one page of members."""
        query = MemberListQuery(q=self.words or None, cursor=self.cursor or None, page_size=PAGE_SIZE)
        members = Members(self.runtime, self.runtime.unit())
        page = await members.list_members(self.organization_id, query)
        return {"members": page.data, "pagination": page.pagination, "q": self.words or ""}


class ActivityPage(OrganizationPage):
    """The organization's part of the trail."""

    template = "organizations/activity.html.jinja"
    tab = "/activity"
    cursor: str | None = None

    async def content(self, account: Account, organization: OrganizationFacts) -> Mapping[str, Any]:
        """Return one page of entries, and how those are called who acted and were acted on."""
        query = OrganizationTrailQuery(cursor=self.cursor or None, page_size=PAGE_SIZE)
        page = await Trail(self.runtime).list_of_organization(self.organization_id, query)
        concerned = {entry.actor_id for entry in page.data} | {entry.subject_id for entry in page.data}
        members = await Members(self.runtime, self.runtime.unit()).list_some(
            self.organization_id, [each for each in concerned if each is not None]
        )
        names = {member.user_id: member.display_name for member in members}
        return {
            "entries": page.data,
            "pagination": page.pagination,
            "names": names,
            "acts": ACTS,
            "told": told,
        }


MembersPageDep = Annotated[MembersPage, Depends(MembersPage)]
ActivityPageDep = Annotated[ActivityPage, Depends(ActivityPage)]


@router.get("", dependencies=[Depends(requires(OrganizationPermission.MEMBER_READ))])
async def show_members(page: MembersPageDep, q: Words = None, cursor: CursorText = None) -> Response:
    """Show the members."""
    page.words, page.cursor = (q or "").strip(), cursor
    return await page.show()


@router.post("/members/roles", dependencies=[Depends(requires(OrganizationPermission.MEMBER_UPDATE))])
async def change_roles(page: MembersPageDep, form: BoxesDep) -> Response:
    """Have a member hold the roles that were ticked."""
    members = Members(page.runtime, page.runtime.unit())
    try:
        user_id = _member_of(form.only("user_id", boxes=ROLE).text("user_id"))
        roles = form.checked(ROLE)
        if not roles:
            raise NothingTicked
        await members.change_roles(page.organization_id, user_id, roles, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(), mark("The roles are changed."))


@router.post("/members/remove", dependencies=[Depends(requires(OrganizationPermission.MEMBER_REMOVE))])
async def remove(page: MembersPageDep, form: FormDep) -> Response:
    """Put a member out."""
    members = Members(page.runtime, page.runtime.unit())
    try:
        user_id = form.parse(PageMember).user_id
        await members.remove_member(page.organization_id, user_id, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(), mark("The member is removed."))


@router.get("/activity", dependencies=[Depends(requires(OrganizationPermission.AUDIT_READ))])
async def show_activity(page: ActivityPageDep, cursor: CursorText = None) -> Response:
    """Show what happened."""
    page.cursor = cursor
    return await page.show()


def _member_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise MemberNotFound from None


def told(value: object) -> str:
    """Return a value of the trail as people read it."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or NOTHING
    return NOTHING if value is None else str(value)
