"""One's own organizations: list, make, see, rename, delete, restore, leave, hand over, switch; and their settings."""

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response

from portico.access.errors import LastOwner, RightsNotHeld
from portico.access.policies import signed_in_within
from portico.core.errors import PreconditionFailed
from portico.core.ids import OrganizationId
from portico.http.access import (
    NotPermitted,
    OrganizationDisabled,
    OrganizationNotFound,
    PersonNeeded,
    SecondFactorRequired,
    SignInMethodRefused,
    SignInTooOld,
    requires,
)
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
    SettingsDep,
    SwitchingDep,
)
from portico.organizations.errors import (
    CreationClosed,
    LocksOut,
    MemberNotFound,
    NameMalformed,
    SignInMethodUnknown,
    SlugMalformed,
    SlugReserved,
    SlugTaken,
    TooManyOrganizations,
    TransferPointless,
)
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.schemas import (
    ActiveOrganizationResponse,
    CreateOrganizationRequest,
    OrganizationDetailsResponse,
    OrganizationListQuery,
    OrganizationResponse,
    OwnOrganizationResponse,
    RestoreOrganizationRequest,
    SettingsRequest,
    SettingsResponse,
    SwitchRequest,
    TransferOwnershipRequest,
    UpdateOrganizationRequest,
)
from portico.organizations.services import NewOrganization, Settings
from portico.organizations.types import OrganizationFacts, OwnMembership

FRESH: Final = signed_in_within(timedelta(minutes=10))
"""What cannot be taken back alone wants a sign-in of the last minutes."""

router = APIRouter(prefix="/organizations", tags=["organizations"])


@router.get(
    "",
    dependencies=[Depends(requires(OrganizationPermission.LIST_OWN))],
    responses=describes(CursorInvalid),
    summary="List one's own organizations",
)
async def list_organizations(
    query: Annotated[OrganizationListQuery, Query()], principal: PrincipalDep, organizations: OrganizationsDep
) -> Page[OwnOrganizationResponse]:
    """Return one page of the organizations to which the caller belongs, the first joined first."""
    page = await organizations.list_own(principal, query)
    return Page[OwnOrganizationResponse](
        data=[_own(membership) for membership in page.data], pagination=page.pagination
    )


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(requires(OrganizationPermission.CREATE_OWN))],
    responses=describes(
        CreationClosed, TooManyOrganizations, SlugTaken, SlugReserved, NameMalformed, SlugMalformed
    ),
    summary="Make an organization",
)
async def create_organization(
    body: CreateOrganizationRequest,
    response: Response,
    principal: PrincipalDep,
    organizations: OrganizationsDep,
) -> OrganizationResponse:
    """Make an organization that the caller owns."""
    facts = await organizations.create_own(NewOrganization(name=body.name, slug=body.slug), actor=principal)
    response.headers["Location"] = f"/api/v1/organizations/{facts.id}"
    return OrganizationResponse.model_validate(facts)


@router.put(
    "/active",
    dependencies=[Depends(requires(OrganizationPermission.SWITCH))],
    responses=describes(
        OrganizationNotFound,
        OrganizationDisabled,
        SecondFactorRequired,
        SignInMethodRefused,
        SignInTooOld,
        PersonNeeded,
    ),
    summary="Switch the active organization",
)
async def switch_organization(
    body: SwitchRequest, principal: PrincipalDep, switching: SwitchingDep
) -> ActiveOrganizationResponse:
    """Have the session work in one of one's organizations, or in none; its tokens stay good."""
    wanted = OrganizationId(body.organization_id) if body.organization_id else None
    facts = await switching.switch(principal, wanted)
    return ActiveOrganizationResponse(
        organization=None if facts is None else OrganizationResponse.model_validate(facts)
    )


@router.get(
    "/{organization_id}",
    dependencies=[Depends(requires(OrganizationPermission.READ))],
    responses=describes(OrganizationNotFound),
    summary="See an organization",
)
async def get_organization(
    organization_id: OrganizationPath,
    response: Response,
    principal: PrincipalDep,
    conditions: ConditionsDep,
    organizations: OrganizationsDep,
) -> OrganizationDetailsResponse:
    """Return an organization and what the caller may do in it."""
    facts = await organizations.get_organization(organization_id)
    roles, permissions = await organizations.standing_of(principal, organization_id)
    conditions.answer(response, facts.version)
    return OrganizationDetailsResponse(**_plain(facts), roles=list(roles), permissions=sorted(permissions))


@router.patch(
    "/{organization_id}",
    dependencies=[Depends(requires(OrganizationPermission.UPDATE))],
    responses=describes(
        OrganizationNotFound,
        RightsNotHeld,
        SlugTaken,
        SlugReserved,
        NameMalformed,
        SlugMalformed,
        PreconditionFailed,
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
    """Change name or slug, whichever is sent. A slug that is let go may be taken by anybody."""
    facts = await organizations.update_organization(
        organization_id, body.sent(), check_version=conditions.require, actor=principal
    )
    conditions.answer(response, facts.version)
    return OrganizationResponse.model_validate(facts)


@router.delete(
    "/{organization_id}",
    status_code=204,
    dependencies=[Depends(requires(OrganizationPermission.DELETE))],
    responses=describes(OrganizationNotFound, RightsNotHeld, PreconditionFailed),
    summary="Delete an organization",
)
async def delete_organization(
    organization_id: OrganizationPath,
    principal: PrincipalDep,
    conditions: ConditionsDep,
    lifecycle: LifecycleDep,
) -> None:
    """Close an organization: nobody acts in it from now on. Its owners can restore it until it is erased."""
    await lifecycle.delete(organization_id, actor=principal, check_version=conditions.require)


@router.post(
    "/{organization_id}/restore",
    dependencies=[Depends(requires(OrganizationPermission.RESTORE_OWN))],
    responses=describes(OrganizationNotFound, NotPermitted, SlugTaken, SlugReserved, SlugMalformed),
    summary="Restore a deleted organization",
)
async def restore_organization(
    organization_id: OrganizationPath,
    body: RestoreOrganizationRequest,
    principal: PrincipalDep,
    lifecycle: LifecycleDep,
) -> OrganizationResponse:
    """Open an organization of one's own again, before it is erased."""
    facts = await lifecycle.restore_own(organization_id, slug=body.slug, actor=principal)
    return OrganizationResponse.model_validate(facts)


@router.post(
    "/{organization_id}/leave",
    status_code=204,
    dependencies=[Depends(requires(OrganizationPermission.LEAVE))],
    responses=describes(OrganizationNotFound, LastOwner),
    summary="Leave an organization",
)
async def leave_organization(
    organization_id: OrganizationPath, principal: PrincipalDep, members: MembersDep
) -> None:
    """Belong to it no longer. Its last owner hands it over or deletes it instead."""
    await members.leave(organization_id, actor=principal)


@router.post(
    "/{organization_id}/transfer-ownership",
    status_code=204,
    dependencies=[Depends(requires(OrganizationPermission.TRANSFER_OWNERSHIP, when=FRESH))],
    responses=describes(OrganizationNotFound, MemberNotFound, TransferPointless, LastOwner, RightsNotHeld),
    summary="Hand an organization over",
)
async def transfer_ownership(
    organization_id: OrganizationPath,
    body: TransferOwnershipRequest,
    principal: PrincipalDep,
    members: MembersDep,
) -> None:
    """Make a member the owner; who gives it away stays as administrator. Wants a sign-in of the last ten minutes."""
    await members.transfer_ownership(organization_id, body.user_id, actor=principal)


@router.get(
    "/{organization_id}/settings",
    dependencies=[Depends(requires(OrganizationPermission.SETTINGS_READ))],
    responses=describes(OrganizationNotFound),
    summary="See the rules of signing in",
)
async def get_settings(
    organization_id: OrganizationPath, response: Response, conditions: ConditionsDep, settings: SettingsDep
) -> SettingsResponse:
    """Return how one must sign in to act in the organization."""
    found = await settings.get_settings(organization_id)
    conditions.answer(response, found.version)
    return _settings(found)


@router.patch(
    "/{organization_id}/settings",
    dependencies=[Depends(requires(OrganizationPermission.SETTINGS_UPDATE))],
    responses=describes(
        OrganizationNotFound, RightsNotHeld, LocksOut, SignInMethodUnknown, PreconditionFailed
    ),
    summary="Change the rules of signing in",
)
async def change_settings(
    *,
    organization_id: OrganizationPath,
    body: SettingsRequest,
    response: Response,
    principal: PrincipalDep,
    conditions: ConditionsDep,
    settings: SettingsDep,
) -> SettingsResponse:
    """Change what is sent. Members who have not signed in like that are refused from the next request on."""
    changed = await settings.change_settings(
        organization_id, body.sent(), check_version=conditions.require, actor=principal
    )
    conditions.answer(response, changed.version)
    return _settings(changed)


def _own(membership: OwnMembership) -> OwnOrganizationResponse:
    return OwnOrganizationResponse(
        **_plain(membership.organization),
        roles=list(membership.roles),
        joined_at=membership.joined_at,
        is_active=membership.is_active,
    )


def _plain(facts: OrganizationFacts) -> dict[str, Any]:
    return dict(OrganizationResponse.model_validate(facts))


def _settings(settings: Settings) -> SettingsResponse:
    age = settings.rules.max_age
    return SettingsResponse(
        min_aal=settings.rules.min_aal,
        methods=sorted(settings.rules.methods),
        max_session_age=int(age.total_seconds()) if age else None,
        version=settings.version,
    )
