"""Organizations, as administrators of the deployment see and rule them. Callers are read from the database anew."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from portico.access.errors import LastOwner, RightsNotHeld, RoleNotFound
from portico.core.errors import PreconditionFailed
from portico.core.ids import PrincipalId, UserId
from portico.http.access import OrganizationNotFound, requires
from portico.http.dependencies import PrincipalDep
from portico.http.errors import CursorInvalid
from portico.http.etags import ConditionsDep
from portico.http.pagination import Page
from portico.http.problems import describes
from portico.organizations.dependencies import (
    LifecycleDep,
    MembersDep,
    OrganizationPath,
    OrganizationsDep,
)
from portico.organizations.errors import (
    AlreadyMember,
    MemberNotFound,
    NameMalformed,
    SlugMalformed,
    SlugReserved,
    SlugTaken,
)
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.schemas import (
    AddMemberRequest,
    AdminOrganizationListQuery,
    CreateOrganizationForRequest,
    MemberListQuery,
    MemberResponse,
    OrganizationResponse,
    RestoreOrganizationRequest,
    UpdateMemberRequest,
    UpdateOrganizationRequest,
)
from portico.organizations.services import NewOrganization
from portico.organizations.types import Joined
from portico.sessions.dependencies import fresh_principal
from portico.users.errors import UserNotFound

router = APIRouter(prefix="/admin/organizations", tags=["admin"], dependencies=[Depends(fresh_principal)])


@router.get(
    "",
    dependencies=[Depends(requires(OrganizationPermission.PLATFORM_LIST))],
    responses=describes(CursorInvalid),
    summary="List and search organizations",
)
async def list_organizations(
    query: Annotated[AdminOrganizationListQuery, Query()], organizations: OrganizationsDep
) -> Page[OrganizationResponse]:
    """Return one page of organizations, the newest first. By cursor it is as fast at any depth."""
    page = await organizations.list_all(query)
    return Page[OrganizationResponse](
        data=[OrganizationResponse.model_validate(facts) for facts in page.data], pagination=page.pagination
    )


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(requires(OrganizationPermission.PLATFORM_CREATE))],
    responses=describes(UserNotFound, SlugTaken, SlugReserved, NameMalformed, SlugMalformed),
    summary="Make an organization for somebody",
)
async def create_organization(
    body: CreateOrganizationForRequest,
    response: Response,
    principal: PrincipalDep,
    organizations: OrganizationsDep,
) -> OrganizationResponse:
    """Make an organization that the named person owns; limits of what people may make do not count."""
    facts = await organizations.create_organization(
        NewOrganization(name=body.name, slug=body.slug), owner_id=_user(body.owner_id), actor=principal
    )
    response.headers["Location"] = f"/api/v1/admin/organizations/{facts.id}"
    return OrganizationResponse.model_validate(facts)


@router.get(
    "/{organization_id}",
    dependencies=[Depends(requires(OrganizationPermission.PLATFORM_READ))],
    responses=describes(OrganizationNotFound),
    summary="See an organization",
)
async def get_organization(
    organization_id: OrganizationPath,
    response: Response,
    conditions: ConditionsDep,
    organizations: OrganizationsDep,
) -> OrganizationResponse:
    """Return an organization, deleted or not."""
    facts = await organizations.find_organization(organization_id)
    if facts is None:
        raise OrganizationNotFound
    conditions.answer(response, facts.version)
    return OrganizationResponse.model_validate(facts)


@router.patch(
    "/{organization_id}",
    dependencies=[Depends(requires(OrganizationPermission.PLATFORM_UPDATE))],
    responses=describes(
        OrganizationNotFound, SlugTaken, SlugReserved, NameMalformed, SlugMalformed, PreconditionFailed
    ),
    summary="Rename an organization",
)
async def update_organization(
    *,
    organization_id: OrganizationPath,
    body: UpdateOrganizationRequest,
    response: Response,
    principal: PrincipalDep,
    conditions: ConditionsDep,
    organizations: OrganizationsDep,
) -> OrganizationResponse:
    """Change name or slug, whichever is sent."""
    facts = await organizations.update_organization(
        organization_id, body.sent(), check_version=conditions.require, actor=principal, permission=None
    )
    conditions.answer(response, facts.version)
    return OrganizationResponse.model_validate(facts)


@router.delete(
    "/{organization_id}",
    status_code=204,
    dependencies=[Depends(requires(OrganizationPermission.PLATFORM_DELETE))],
    responses=describes(OrganizationNotFound, PreconditionFailed),
    summary="Delete an organization",
)
async def delete_organization(
    organization_id: OrganizationPath,
    principal: PrincipalDep,
    conditions: ConditionsDep,
    lifecycle: LifecycleDep,
) -> None:
    """Close an organization; it can be restored until it is erased."""
    await lifecycle.delete(
        organization_id, actor=principal, permission=None, check_version=conditions.require
    )


@router.post(
    "/{organization_id}/restore",
    dependencies=[Depends(requires(OrganizationPermission.PLATFORM_DELETE))],
    responses=describes(OrganizationNotFound, SlugTaken, SlugReserved, SlugMalformed),
    summary="Restore a deleted organization",
)
async def restore_organization(
    organization_id: OrganizationPath,
    body: RestoreOrganizationRequest,
    principal: PrincipalDep,
    lifecycle: LifecycleDep,
) -> OrganizationResponse:
    """Open a deleted organization again, as it was."""
    facts = await lifecycle.restore(organization_id, slug=body.slug, actor=principal)
    return OrganizationResponse.model_validate(facts)


@router.post(
    "/{organization_id}/disable",
    dependencies=[Depends(requires(OrganizationPermission.PLATFORM_DISABLE))],
    responses=describes(OrganizationNotFound),
    summary="Switch an organization off",
)
async def disable_organization(
    organization_id: OrganizationPath, principal: PrincipalDep, lifecycle: LifecycleDep
) -> OrganizationResponse:
    """Let nobody and nothing act in it, keys included, when this is answered."""
    return OrganizationResponse.model_validate(await lifecycle.disable(organization_id, actor=principal))


@router.post(
    "/{organization_id}/enable",
    dependencies=[Depends(requires(OrganizationPermission.PLATFORM_DISABLE))],
    responses=describes(OrganizationNotFound),
    summary="Switch an organization on",
)
async def enable_organization(
    organization_id: OrganizationPath, principal: PrincipalDep, lifecycle: LifecycleDep
) -> OrganizationResponse:
    """Let its members act again."""
    return OrganizationResponse.model_validate(await lifecycle.enable(organization_id, actor=principal))


@router.get(
    "/{organization_id}/members",
    dependencies=[Depends(requires(OrganizationPermission.PLATFORM_READ))],
    responses=describes(OrganizationNotFound, CursorInvalid),
    summary="List and search members",
)
async def list_members(
    organization_id: OrganizationPath,
    query: Annotated[MemberListQuery, Query()],
    organizations: OrganizationsDep,
    members: MembersDep,
) -> Page[MemberResponse]:
    """Return one page of members, the first joined first."""
    if await organizations.find_organization(organization_id) is None:
        raise OrganizationNotFound
    page = await members.list_members(organization_id, query)
    return Page[MemberResponse](
        data=[MemberResponse.model_validate(member) for member in page.data], pagination=page.pagination
    )


@router.post(
    "/{organization_id}/members",
    status_code=201,
    dependencies=[Depends(requires(OrganizationPermission.PLATFORM_UPDATE))],
    responses=describes(OrganizationNotFound, UserNotFound, RoleNotFound, AlreadyMember, RightsNotHeld),
    summary="Add a member",
)
async def add_member(
    organization_id: OrganizationPath,
    body: AddMemberRequest,
    response: Response,
    principal: PrincipalDep,
    members: MembersDep,
) -> MemberResponse:
    """Make a person a member without being asked; with roles that the caller could give."""
    await members.add_member(
        organization_id, _user(body.user_id), body.roles, how=Joined.ADDED, actor=principal
    )
    response.headers["Location"] = f"/api/v1/admin/organizations/{organization_id}/members/{body.user_id}"
    return MemberResponse.model_validate(await members.get_member(organization_id, body.user_id))


@router.patch(
    "/{organization_id}/members/{user_id}",
    dependencies=[Depends(requires(OrganizationPermission.PLATFORM_UPDATE))],
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
    """Have a member hold these roles and no others; with roles that the caller could give."""
    member = await members.change_roles(
        organization_id, user_id, body.roles, actor=principal, permission=None
    )
    return MemberResponse.model_validate(member)


@router.delete(
    "/{organization_id}/members/{user_id}",
    status_code=204,
    dependencies=[Depends(requires(OrganizationPermission.PLATFORM_UPDATE))],
    responses=describes(OrganizationNotFound, MemberNotFound, RightsNotHeld, LastOwner),
    summary="Remove a member",
)
async def remove_member(
    organization_id: OrganizationPath, user_id: UUID, principal: PrincipalDep, members: MembersDep
) -> None:
    """Put a member out."""
    await members.remove_member(organization_id, user_id, actor=principal, permission=None)


def _user(user_id: UUID) -> UserId:
    return UserId(PrincipalId(user_id))
