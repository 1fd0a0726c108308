"""Shapes of members, roles and teams."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from portico.http.pagination import PageQuery
from portico.http.schemas import RequestModel, ResponseModel
from portico.organizations.types import Joined, MemberSort, TeamSort

RoleText = Annotated[str, Field(min_length=1, max_length=40)]
"""A role by its name, or by its id if the organization made it."""
Roles = Annotated[list[RoleText], Field(max_length=20)]
PermissionText = Annotated[str, Field(min_length=1, max_length=120)]


class MemberListQuery(PageQuery):
    """Which members, the first joined first. `q` is looked for in name, username and e-mail address."""

    sort_by: MemberSort = MemberSort.JOINED_AT
    """What to sort by."""
    role: RoleText | None = None
    """Only those who hold this role themselves."""


class TeamListQuery(PageQuery):
    """Which teams. `q` is looked for in name and slug."""

    sort_by: TeamSort = TeamSort.SLUG
    """What to sort by."""


class MemberResponse(ResponseModel):
    """A person in the organization."""

    user_id: UUID
    email: str
    username: str | None
    full_name: str | None
    is_active: bool
    """False: an administrator of the deployment switched the account off."""
    roles: list[str]
    """His own: names of roles, or the ids of those that the organization made."""
    how: Joined
    joined_at: datetime


class UpdateMemberRequest(RequestModel):
    """What the member is from now on."""

    roles: Annotated[list[RoleText], Field(min_length=1, max_length=20)]
    """These roles and no others."""


class AddMemberRequest(UpdateMemberRequest):
    """A person who becomes a member without being asked."""

    user_id: UUID = Field(strict=False)


class RoleResponse(ResponseModel):
    """A role. `id` is null for those that every organization has."""

    id: UUID | None
    name: str
    title: str
    description: str
    permissions: list[str]
    is_system: bool
    version: int


class RolesListResponse(ResponseModel):
    """All roles of the organization, those that every one has first."""

    data: list[RoleResponse]


class CreateRoleRequest(RequestModel):
    """A role that holds what its maker holds at most."""

    name: RoleText
    """Three to forty small letters, digits, `-` and `_`."""
    title: Annotated[str, Field(min_length=1, max_length=80)]
    description: Annotated[str, Field(max_length=400)] = ""
    permissions: Annotated[list[PermissionText], Field(max_length=500)]


class UpdateRoleRequest(RequestModel):
    """What is sent is changed."""

    name: RoleText = ""
    title: Annotated[str, Field(min_length=1, max_length=80)] = ""
    description: Annotated[str, Field(max_length=400)] = ""
    permissions: list[PermissionText] = Field(default=[], max_length=500)

    def sent(self) -> dict[str, Any]:
        """Return the fields that the request names."""
        return self.model_dump(exclude_unset=True)


class PermissionResponse(ResponseModel):
    """A permission that a role of the organization can hold."""

    name: str
    description: str
    is_held: bool
    """The caller holds it, so that he can put it into a role."""


class PermissionsResponse(ResponseModel):
    """Everything that can be put into a role."""

    data: list[PermissionResponse]


class TeamResponse(ResponseModel):
    """A team."""

    id: UUID
    name: str
    slug: str
    description: str
    members: int
    """How many belong to it."""
    roles: list[str]
    """What its members hold besides their own roles."""
    created_at: datetime
    updated_at: datetime
    version: int


class CreateTeamRequest(RequestModel):
    """A new, empty team."""

    name: Annotated[str, Field(min_length=1, max_length=160)]
    slug: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    """A short name, unique in the organization; made of the name if it is not given."""
    description: Annotated[str, Field(max_length=400)] = ""


class UpdateTeamRequest(RequestModel):
    """What is sent is changed."""

    name: Annotated[str, Field(min_length=1, max_length=160)] = ""
    slug: Annotated[str, Field(min_length=1, max_length=80)] = ""
    description: Annotated[str, Field(max_length=400)] = ""

    def sent(self) -> dict[str, Any]:
        """Return the fields that the request names."""
        return self.model_dump(exclude_unset=True)


class TeamRolesRequest(RequestModel):
    """What a team's members hold besides their own roles."""

    roles: Roles
    """These and no others; empty: nothing."""


class TeamMemberRequest(RequestModel):
    """A member who belongs to the team from now on."""

    user_id: UUID = Field(strict=False)


class TeamMembersResponse(ResponseModel):
    """Who belongs to the team, the first joined the organization first."""

    data: list[MemberResponse]
