"""Members of an organization, its roles, and its part of the trail."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from portico.access.errors import (
    LastOwner,
    PermissionUnknown,
    RightsNotHeld,
    RoleFixed,
    RoleInUse,
    RoleNotFound,
    RoleTaken,
)
from portico.access.types import RoleFacts
from portico.audit.schemas import OrganizationTrailQuery, TrailEntryResponse
from portico.audit.services import Trail
from portico.core.errors import PreconditionFailed
from portico.http.access import OrganizationNotFound, requires
from portico.http.dependencies import PrincipalDep, RuntimeDep
from portico.http.errors import CursorInvalid
from portico.http.etags import ConditionsDep
from portico.http.pagination import Page
from portico.http.problems import describes
from portico.organizations.dependencies import MembersDep, OrganizationPath, RolesDep
from portico.organizations.errors import MemberNotFound
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.schemas import (
    CreateRoleRequest,
    MemberListQuery,
    MemberResponse,
    PermissionResponse,
    PermissionsResponse,
    RoleResponse,
    RolesListResponse,
    UpdateMemberRequest,
    UpdateRoleRequest,
)
from portico.organizations.wording import plain_words

router = APIRouter(prefix="/organizations/{organization_id}", tags=["organizations"])

RolePath = Annotated[str, Path(max_length=40, description="A role's name, or the id of one that was made.")]


@router.get(
    "/members",
    dependencies=[Depends(requires(OrganizationPermission.MEMBER_READ))],
    responses=describes(OrganizationNotFound, CursorInvalid),
    summary="List and search members",
)
async def list_members(
    organization_id: OrganizationPath, query: Annotated[MemberListQuery, Query()], members: MembersDep
) -> Page[MemberResponse]:
    """Return one page of members, the first joined first. By cursor it is as fast at any depth."""
    page = await members.list_members(organization_id, query)
    return Page[MemberResponse](
        data=[MemberResponse.model_validate(member) for member in page.data], pagination=page.pagination
    )


@router.get(
    "/members/{user_id}",
    dependencies=[Depends(requires(OrganizationPermission.MEMBER_READ))],
    responses=describes(OrganizationNotFound, MemberNotFound),
    summary="See a member",
)
async def get_member(organization_id: OrganizationPath, user_id: UUID, members: MembersDep) -> MemberResponse:
    """Return a member."""
    return MemberResponse.model_validate(await members.get_member(organization_id, user_id))


@router.patch(
    "/members/{user_id}",
    dependencies=[Depends(requires(OrganizationPermission.MEMBER_UPDATE))],
    responses=describes(OrganizationNotFound, MemberNotFound, RoleNotFound, RightsNotHeld, LastOwner),
    summary="Change a member's roles",
)
async def change_member(
    organization_id: OrganizationPath,
    user_id: UUID,
    body: UpdateMemberRequest,
    principal: PrincipalDep,
    members: MembersDep,
) -> MemberResponse:
    """Have a member hold these roles and no others. Nobody gives or takes what he does not hold himself."""
    member = await members.change_roles(organization_id, user_id, body.roles, actor=principal)
    return MemberResponse.model_validate(member)


@router.delete(
    "/members/{user_id}",
    status_code=204,
    dependencies=[Depends(requires(OrganizationPermission.MEMBER_REMOVE))],
    responses=describes(OrganizationNotFound, MemberNotFound, RightsNotHeld, LastOwner),
    summary="Remove a member",
)
async def remove_member(
    organization_id: OrganizationPath, user_id: UUID, principal: PrincipalDep, members: MembersDep
) -> None:
    """Put a member out; what he does next in the organization is refused."""
    await members.remove_member(organization_id, user_id, actor=principal)


@router.get(
    "/roles",
    dependencies=[Depends(requires(OrganizationPermission.ROLE_READ))],
    responses=describes(OrganizationNotFound),
    summary="List roles",
)
async def list_roles(organization_id: OrganizationPath, roles: RolesDep) -> RolesListResponse:
    """Return the roles, those that every organization has first."""
    return RolesListResponse(data=[_role(role) for role in await roles.list_roles(organization_id)])


@router.post(
    "/roles",
    status_code=201,
    dependencies=[Depends(requires(OrganizationPermission.ROLE_MANAGE))],
    responses=describes(OrganizationNotFound, RightsNotHeld, RoleTaken, RoleFixed, PermissionUnknown),
    summary="Make a role",
)
async def create_role(
    organization_id: OrganizationPath,
    body: CreateRoleRequest,
    response: Response,
    principal: PrincipalDep,
    roles: RolesDep,
) -> RoleResponse:
    """Make a role that holds what its maker holds at most."""
    role = await roles.create_role(organization_id, body.model_dump(), actor=principal)
    response.headers["Location"] = f"/api/v1/organizations/{organization_id}/roles/{role.id}"
    return _role(role)


@router.get(
    "/roles/{role_id}",
    dependencies=[Depends(requires(OrganizationPermission.ROLE_READ))],
    responses=describes(OrganizationNotFound, RoleNotFound),
    summary="See a role",
)
async def get_role(
    organization_id: OrganizationPath,
    role_id: RolePath,
    response: Response,
    conditions: ConditionsDep,
    roles: RolesDep,
) -> RoleResponse:
    """Return a role."""
    role = await roles.get_role(organization_id, role_id)
    conditions.answer(response, role.version)
    return _role(role)


@router.patch(
    "/roles/{role_id}",
    dependencies=[Depends(requires(OrganizationPermission.ROLE_MANAGE))],
    responses=describes(
        OrganizationNotFound,
        RoleNotFound,
        RightsNotHeld,
        RoleTaken,
        RoleFixed,
        PermissionUnknown,
        PreconditionFailed,
    ),
    summary="Change a role",
)
async def update_role(
    *,
    organization_id: OrganizationPath,
    role_id: RolePath,
    body: UpdateRoleRequest,
    response: Response,
    principal: PrincipalDep,
    conditions: ConditionsDep,
    roles: RolesDep,
) -> RoleResponse:
    """Change what is sent; whoever holds the role holds the new permissions with his next request."""
    role = await roles.update_role(
        organization_id, role_id, body.sent(), check_version=conditions.require, actor=principal
    )
    conditions.answer(response, role.version)
    return _role(role)


@router.delete(
    "/roles/{role_id}",
    status_code=204,
    dependencies=[Depends(requires(OrganizationPermission.ROLE_MANAGE))],
    responses=describes(
        OrganizationNotFound, RoleNotFound, RightsNotHeld, RoleInUse, RoleFixed, PreconditionFailed
    ),
    summary="Delete a role",
)
async def delete_role(
    organization_id: OrganizationPath,
    role_id: RolePath,
    principal: PrincipalDep,
    conditions: ConditionsDep,
    roles: RolesDep,
) -> None:
    """Delete a role that nobody holds."""
    await roles.delete_role(organization_id, role_id, check_version=conditions.require, actor=principal)


@router.get(
    "/permissions",
    dependencies=[Depends(requires(OrganizationPermission.ROLE_READ))],
    responses=describes(OrganizationNotFound),
    summary="List what roles can hold",
)
async def list_permissions(
    organization_id: OrganizationPath, principal: PrincipalDep, roles: RolesDep
) -> PermissionsResponse:
    """Return everything that can be put into a role, and what of it the caller could put there."""
    return PermissionsResponse(
        data=[
            PermissionResponse(name=each.name, description=plain_words(each.name), is_held=each.is_held)
            for each in await roles.list_permissions(organization_id, principal)
        ]
    )


@router.get(
    "/audit",
    dependencies=[Depends(requires(OrganizationPermission.AUDIT_READ))],
    responses=describes(OrganizationNotFound, CursorInvalid),
    summary="Search the organization's trail",
)
async def list_trail(
    organization_id: OrganizationPath, query: Annotated[OrganizationTrailQuery, Query()], runtime: RuntimeDep
) -> Page[TrailEntryResponse]:
    """Return one page of what happened in the organization, the newest first."""
    page = await Trail(runtime).list_of_organization(organization_id, query)
    return Page[TrailEntryResponse](
        data=[TrailEntryResponse.model_validate(entry) for entry in page.data], pagination=page.pagination
    )


def _role(role: RoleFacts) -> RoleResponse:
    return RoleResponse(
        id=role.id,
        name=role.name,
        title=role.title,
        description=role.description,
        permissions=sorted(role.permissions),
        is_system=role.is_system,
        version=role.version,
    )
