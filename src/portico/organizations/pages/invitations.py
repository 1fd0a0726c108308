"""The invitations of an organization: sent, sent again, withdrawn. What their guests see is in `offers`."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import HTMLResponse, Response

from portico.core.errors import PorticoError
from portico.http.access import requires
from portico.http.markers import limited, without_idempotency
from portico.http.schemas import RequestModel
from portico.organizations.errors import TeamNotFound
from portico.organizations.organization_pages import HOME, OrganizationPage
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.schemas import TeamListQuery
from portico.organizations.schemas.invitations import MEMBER, InvitationListQuery
from portico.organizations.services import Teams
from portico.organizations.services.invitations import Invitations, NewInvitation
from portico.organizations.types import OrganizationFacts
from portico.users.addresses import parse_address
from portico.users.types import Account
from portico.web.forms import BoxesDep, Form, FormDep
from portico.web.translations import mark

MOST_SHOWN = 100
REST = "/invitations"
TEAM = "team_"
"""Before the name of a box that stands for a team."""

router = APIRouter(
    prefix=HOME + "/{organization_id}" + REST,
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[Depends(without_idempotency), Depends(requires(OrganizationPermission.MEMBER_INVITE))],
)


class PageInvite(RequestModel):
    """The form that invites: an address and one role."""

    email: str = Field(min_length=1, max_length=320)
    role: str = Field(MEMBER, min_length=1, max_length=40)


class PageInvitation(RequestModel):
    """Of which invitation a button speaks."""

    invitation_id: UUID = Field(strict=False)


class InvitationsPage(OrganizationPage):
    """The list of invitations, the newest first."""

    template = "organizations/invitations.html.jinja"
    tab = REST

    async def content(self, account: Account, organization: OrganizationFacts) -> Mapping[str, Any]:
        """Return the invitations, the role that is offered at first, and the teams that can be."""
        query = InvitationListQuery(page_size=MOST_SHOWN)
        page = await self.invitations.list_invitations(self.organization_id, query)
        found = await Teams(self.runtime, self.runtime.unit()).list_teams(
            self.organization_id, TeamListQuery(page_size=MOST_SHOWN)
        )
        return {"invitations": page.data, "first_role": MEMBER, "teams": found.data}

    @property
    def invitations(self) -> Invitations:
        """Return the service, with a unit of its own."""
        return Invitations(self.runtime, self.runtime.unit())


InvitationsPageDep = Annotated[InvitationsPage, Depends(InvitationsPage)]


@router.get("")
async def show_invitations(page: InvitationsPageDep) -> Response:
    """Show the invitations."""
    return await page.show()


@router.post("", dependencies=[Depends(limited("sign_in"))])
async def invite(page: InvitationsPageDep, form: BoxesDep) -> Response:
    """Mail an invitation."""
    try:
        typed = form.without(boxes=TEAM).parse(PageInvite)
        new = NewInvitation(email=parse_address(typed.email), roles=[typed.role], teams=_teams_in(form))
        await page.invitations.invite(page.organization_id, new, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(REST), mark("The invitation is on its way."))


@router.post("/resend", dependencies=[Depends(limited("sign_in"))])
async def resend(page: InvitationsPageDep, form: FormDep) -> Response:
    """Mail an invitation again."""
    try:
        invitation_id = form.parse(PageInvitation).invitation_id
        await page.invitations.resend(page.organization_id, invitation_id, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(REST), mark("The invitation is on its way again. The earlier link is dead."))


@router.post("/revoke")
async def revoke(page: InvitationsPageDep, form: FormDep) -> Response:
    """Withdraw an invitation."""
    try:
        invitation_id = form.parse(PageInvitation).invitation_id
        await page.invitations.revoke(page.organization_id, invitation_id, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(REST), mark("The invitation is withdrawn."))


def _teams_in(form: Form) -> list[UUID]:
    try:
        return [UUID(team_id) for team_id in form.checked(TEAM)]
    except ValueError:
        raise TeamNotFound from None
