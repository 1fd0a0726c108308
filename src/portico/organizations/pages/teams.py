"""The teams of an organization."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse, Response

from portico.core.errors import PorticoError
from portico.http.access import requires
from portico.http.markers import without_idempotency
from portico.organizations.errors import TeamNotFound
from portico.organizations.organization_pages import HOME, OrganizationPage
from portico.organizations.pages.members import ROLE, PageMember
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.schemas import CreateTeamRequest, MemberListQuery, TeamListQuery, UpdateTeamRequest
from portico.organizations.services import Members, Teams, no_check
from portico.organizations.types import OrganizationFacts
from portico.users.types import Account
from portico.web.forms import BoxesDep, Form, FormDep, missing
from portico.web.translations import mark

MOST_SHOWN = 100

router = APIRouter(
    prefix=HOME + "/{organization_id}/teams",
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[Depends(without_idempotency)],
)
one = APIRouter(
    prefix=HOME + "/{organization_id}/teams/{team_id}",
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[Depends(without_idempotency)],
)


class TeamsPage(OrganizationPage):
    """The list of teams."""

    template = "organizations/teams.html.jinja"
    tab = "/teams"

    async def content(self, account: Account, organization: OrganizationFacts) -> Mapping[str, Any]:
        """Return the teams."""
        query = TeamListQuery(page_size=MOST_SHOWN)
        page = await self.teams.list_teams(self.organization_id, query)
        return {"teams": page.data}

    @property
    def teams(self) -> Teams:
        """Return the service, with a unit of its own."""
        return Teams(self.runtime, self.runtime.unit())


class TeamPage(TeamsPage):
    """One team: who belongs to it, and what it holds."""

    template = "organizations/team.html.jinja"

    @property
    def team_id(self) -> UUID:
        """Return the team of the path.

        Raises:
            TeamNotFound: it is no id (404).
        """
        try:
            return UUID(self.request.path_params["team_id"])
        except ValueError:
            raise TeamNotFound from None

    async def content(self, account: Account, organization: OrganizationFacts) -> Mapping[str, Any]:
        """Return the team, its members, and who could join it."""
        team = await self.teams.get_team(self.organization_id, self.team_id)
        ids = await self.teams.list_members(self.organization_id, self.team_id)
        members = Members(self.runtime, self.runtime.unit())
        everybody = await members.list_members(self.organization_id, MemberListQuery(page_size=MOST_SHOWN))
        return {
            "team": team,
            "members": await members.list_some(self.organization_id, ids),
            "others": [member for member in everybody.data if member.user_id not in ids],
        }


TeamsPageDep = Annotated[TeamsPage, Depends(TeamsPage)]
TeamPageDep = Annotated[TeamPage, Depends(TeamPage)]
MANAGES = Depends(requires(OrganizationPermission.TEAM_MANAGE))


@router.get("", dependencies=[Depends(requires(OrganizationPermission.TEAM_READ))])
async def show_teams(page: TeamsPageDep) -> Response:
    """Show the teams."""
    return await page.show()


@router.post("", dependencies=[MANAGES])
async def create(page: TeamsPageDep, form: FormDep) -> Response:
    """Make a team."""
    try:
        wish = form.parse(CreateTeamRequest)
        team = await page.teams.create_team(
            page.organization_id, name=wish.name, description=wish.description, actor=page.principal
        )
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(f"/teams/{team.id}"), mark("The team is made. Put members into it."))


@one.get("", dependencies=[Depends(requires(OrganizationPermission.TEAM_READ))])
async def show_team(page: TeamPageDep) -> Response:
    """Show one team."""
    return await page.show()


@one.post("", dependencies=[MANAGES])
async def save(page: TeamPageDep, form: FormDep) -> Response:
    """Change name and description of a team."""
    try:
        sent = form.parse(UpdateTeamRequest).sent()
        if "name" not in sent:
            raise missing(form, "name")
        await page.teams.update_team(
            page.organization_id, page.team_id, sent, check_version=no_check, actor=page.principal
        )
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(f"/teams/{page.team_id}"), mark("The team is changed."))


@one.post("/members", dependencies=[MANAGES])
async def add_member(page: TeamPageDep, form: FormDep) -> Response:
    """Put a member into the team."""
    try:
        user_id = form.parse(PageMember).user_id
        await page.teams.add_member(page.organization_id, page.team_id, user_id, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(f"/teams/{page.team_id}"), mark("The member belongs to the team now."))


@one.post("/members/remove", dependencies=[MANAGES])
async def remove_member(page: TeamPageDep, form: FormDep) -> Response:
    """Take a member out of the team."""
    try:
        user_id = form.parse(PageMember).user_id
        await page.teams.remove_member(page.organization_id, page.team_id, user_id, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(f"/teams/{page.team_id}"), mark("The member has left the team."))


@one.post("/roles", dependencies=[MANAGES])
async def set_roles(page: TeamPageDep, form: BoxesDep) -> Response:
    """Have the team hold the roles that were ticked."""
    try:
        await page.teams.set_roles(
            page.organization_id, page.team_id, form.only(boxes=ROLE).checked(ROLE), actor=page.principal
        )
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(f"/teams/{page.team_id}"), mark("The roles are changed."))


@one.post("/delete", dependencies=[MANAGES])
async def delete(page: TeamPageDep) -> Response:
    """Delete the team."""
    try:
        await page.teams.delete_team(
            page.organization_id, page.team_id, check_version=no_check, actor=page.principal
        )
    except PorticoError as refusal:
        return await page.refused(Form(), refusal)
    return page.done(page.path("/teams"), mark("The team is deleted."))
