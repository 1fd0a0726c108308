"""Teams of an organization."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from portico.access.errors import RightsNotHeld, RoleNotFound
from portico.core.errors import PreconditionFailed
from portico.http.access import OrganizationNotFound, requires
from portico.http.dependencies import PrincipalDep
from portico.http.errors import CursorInvalid
from portico.http.etags import ConditionsDep
from portico.http.pagination import Page
from portico.http.problems import describes
from portico.organizations.dependencies import MembersDep, OrganizationPath, TeamsDep
from portico.organizations.errors import (
    MemberNotFound,
    NameMalformed,
    SlugMalformed,
    SlugTaken,
    TeamNotFound,
)
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.schemas import (
    CreateTeamRequest,
    MemberResponse,
    TeamListQuery,
    TeamMemberRequest,
    TeamMembersResponse,
    TeamResponse,
    TeamRolesRequest,
    UpdateTeamRequest,
)

router = APIRouter(prefix="/organizations/{organization_id}/teams", tags=["organizations"])


@router.get(
    "",
    dependencies=[Depends(requires(OrganizationPermission.TEAM_READ))],
    responses=describes(OrganizationNotFound, CursorInvalid),
    summary="List teams",
)
async def list_teams(
    organization_id: OrganizationPath, query: Annotated[TeamListQuery, Query()], teams: TeamsDep
) -> Page[TeamResponse]:
    """Return one page of teams, sorted by slug."""
    page = await teams.list_teams(organization_id, query)
    return Page[TeamResponse](
        data=[TeamResponse.model_validate(team) for team in page.data], pagination=page.pagination
    )


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(requires(OrganizationPermission.TEAM_MANAGE))],
    responses=describes(OrganizationNotFound, RightsNotHeld, SlugTaken, NameMalformed, SlugMalformed),
    summary="Make a team",
)
async def create_team(
    organization_id: OrganizationPath,
    body: CreateTeamRequest,
    response: Response,
    principal: PrincipalDep,
    teams: TeamsDep,
) -> TeamResponse:
    """Make an empty team without roles."""
    team = await teams.create_team(
        organization_id, name=body.name, slug=body.slug, description=body.description, actor=principal
    )
    response.headers["Location"] = f"/api/v1/organizations/{organization_id}/teams/{team.id}"
    return TeamResponse.model_validate(team)


@router.get(
    "/{team_id}",
    dependencies=[Depends(requires(OrganizationPermission.TEAM_READ))],
    responses=describes(OrganizationNotFound, TeamNotFound),
    summary="See a team",
)
async def get_team(
    organization_id: OrganizationPath,
    team_id: UUID,
    response: Response,
    conditions: ConditionsDep,
    teams: TeamsDep,
) -> TeamResponse:
    """Return a team."""
    team = await teams.get_team(organization_id, team_id)
    conditions.answer(response, team.version)
    return TeamResponse.model_validate(team)


@router.patch(
    "/{team_id}",
    dependencies=[Depends(requires(OrganizationPermission.TEAM_MANAGE))],
    responses=describes(
        OrganizationNotFound,
        TeamNotFound,
        RightsNotHeld,
        SlugTaken,
        NameMalformed,
        SlugMalformed,
        PreconditionFailed,
    ),
    summary="Change a team",
)
async def update_team(
    *,
    organization_id: OrganizationPath,
    team_id: UUID,
    body: UpdateTeamRequest,
    response: Response,
    principal: PrincipalDep,
    conditions: ConditionsDep,
    teams: TeamsDep,
) -> TeamResponse:
    """Change what is sent."""
    team = await teams.update_team(
        organization_id, team_id, body.sent(), check_version=conditions.require, actor=principal
    )
    conditions.answer(response, team.version)
    return TeamResponse.model_validate(team)


@router.delete(
    "/{team_id}",
    status_code=204,
    dependencies=[Depends(requires(OrganizationPermission.TEAM_MANAGE))],
    responses=describes(OrganizationNotFound, TeamNotFound, RightsNotHeld, PreconditionFailed),
    summary="Delete a team",
)
async def delete_team(
    organization_id: OrganizationPath,
    team_id: UUID,
    principal: PrincipalDep,
    conditions: ConditionsDep,
    teams: TeamsDep,
) -> None:
    """Delete a team; what its members held by it they hold no longer."""
    await teams.delete_team(organization_id, team_id, check_version=conditions.require, actor=principal)


@router.put(
    "/{team_id}/roles",
    dependencies=[Depends(requires(OrganizationPermission.TEAM_MANAGE))],
    responses=describes(OrganizationNotFound, TeamNotFound, RoleNotFound, RightsNotHeld),
    summary="Say what a team holds",
)
async def set_team_roles(
    organization_id: OrganizationPath,
    team_id: UUID,
    body: TeamRolesRequest,
    principal: PrincipalDep,
    teams: TeamsDep,
) -> TeamResponse:
    """Have the team's members hold these roles by it, besides their own."""
    team = await teams.set_roles(organization_id, team_id, body.roles, actor=principal)
    return TeamResponse.model_validate(team)


@router.get(
    "/{team_id}/members",
    dependencies=[Depends(requires(OrganizationPermission.TEAM_READ))],
    responses=describes(OrganizationNotFound, TeamNotFound),
    summary="List who belongs to a team",
)
async def list_team_members(
    organization_id: OrganizationPath, team_id: UUID, teams: TeamsDep, members: MembersDep
) -> TeamMembersResponse:
    """Return who belongs to a team."""
    ids = await teams.list_members(organization_id, team_id)
    found = await members.list_some(organization_id, ids)
    return TeamMembersResponse(data=[MemberResponse.model_validate(member) for member in found])


@router.post(
    "/{team_id}/members",
    status_code=204,
    dependencies=[Depends(requires(OrganizationPermission.TEAM_MANAGE))],
    responses=describes(OrganizationNotFound, TeamNotFound, MemberNotFound, RightsNotHeld),
    summary="Put a member into a team",
)
async def add_team_member(
    organization_id: OrganizationPath,
    team_id: UUID,
    body: TeamMemberRequest,
    principal: PrincipalDep,
    teams: TeamsDep,
) -> None:
    """Put a member of the organization into a team; nothing happens if he is in it."""
    await teams.add_member(organization_id, team_id, body.user_id, actor=principal)


@router.delete(
    "/{team_id}/members/{user_id}",
    status_code=204,
    dependencies=[Depends(requires(OrganizationPermission.TEAM_MANAGE))],
    responses=describes(OrganizationNotFound, TeamNotFound, MemberNotFound, RightsNotHeld),
    summary="Take somebody out of a team",
)
async def remove_team_member(
    organization_id: OrganizationPath, team_id: UUID, user_id: UUID, principal: PrincipalDep, teams: TeamsDep
) -> None:
    """Take somebody out of a team."""
    await teams.remove_member(organization_id, team_id, user_id, actor=principal)
