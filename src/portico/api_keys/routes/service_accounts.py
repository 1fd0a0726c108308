"""The service accounts of an organization: `/organizations/{organization_id}/service-accounts`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from portico.access.errors import RightsNotHeld, RoleNotFound
from portico.api_keys.dependencies import ServiceAccountsDep
from portico.api_keys.errors import ServiceAccountNotFound, TooManyServiceAccounts
from portico.api_keys.permissions import ApiKeyPermission
from portico.api_keys.schemas import (
    CreateServiceAccountRequest,
    ServiceAccountListQuery,
    ServiceAccountResponse,
    ServiceAccountRolesRequest,
    UpdateServiceAccountRequest,
)
from portico.core.errors import PreconditionFailed
from portico.core.ids import OrganizationId
from portico.http.access import OrganizationNotFound, requires
from portico.http.dependencies import PrincipalDep
from portico.http.errors import CursorInvalid
from portico.http.etags import ConditionsDep
from portico.http.pagination import Page
from portico.http.problems import describes
from portico.sessions.dependencies import fresh_principal

router = APIRouter(
    prefix="/organizations/{organization_id}/service-accounts",
    tags=["service accounts"],
    dependencies=[Depends(fresh_principal)],
)

READS = Depends(requires(ApiKeyPermission.SERVICE_ACCOUNT_READ))
MANAGES = Depends(requires(ApiKeyPermission.SERVICE_ACCOUNT_MANAGE))
NOT_THERE = (ServiceAccountNotFound, OrganizationNotFound)


@router.get(
    "",
    dependencies=[READS],
    responses=describes(CursorInvalid, OrganizationNotFound),
    summary="List service accounts",
)
async def list_accounts(
    organization_id: UUID, query: Annotated[ServiceAccountListQuery, Query()], accounts: ServiceAccountsDep
) -> Page[ServiceAccountResponse]:
    """Return one page of the organization's service accounts, the newest first."""
    found = await accounts.list_accounts(OrganizationId(organization_id), query)
    data = [ServiceAccountResponse.model_validate(each) for each in found.data]
    return Page(data=data, pagination=found.pagination)


@router.post(
    "",
    status_code=201,
    dependencies=[MANAGES],
    responses=describes(OrganizationNotFound, RoleNotFound, RightsNotHeld, TooManyServiceAccounts),
    summary="Make a service account",
)
async def create_account(
    organization_id: UUID,
    body: CreateServiceAccountRequest,
    response: Response,
    principal: PrincipalDep,
    accounts: ServiceAccountsDep,
) -> ServiceAccountResponse:
    """Make a principal that is no person; keys for it are made among those of the organization."""
    where = OrganizationId(organization_id)
    made = await accounts.create_account(where, body.wish(), actor=principal)
    response.headers["Location"] = f"/api/v1/organizations/{organization_id}/service-accounts/{made.id}"
    return ServiceAccountResponse.model_validate(made)


@router.get(
    "/{service_account_id}",
    dependencies=[READS],
    responses=describes(*NOT_THERE),
    summary="See a service account",
)
async def get_account(
    organization_id: UUID,
    service_account_id: UUID,
    response: Response,
    conditions: ConditionsDep,
    accounts: ServiceAccountsDep,
) -> ServiceAccountResponse:
    """Return a service account and its roles."""
    found = await accounts.get_account(OrganizationId(organization_id), service_account_id)
    conditions.answer(response, found.version)
    return ServiceAccountResponse.model_validate(found)


@router.patch(
    "/{service_account_id}",
    dependencies=[MANAGES],
    responses=describes(*NOT_THERE, PreconditionFailed),
    summary="Change a service account",
)
async def change_account(
    *,
    organization_id: UUID,
    service_account_id: UUID,
    body: UpdateServiceAccountRequest,
    response: Response,
    principal: PrincipalDep,
    conditions: ConditionsDep,
    accounts: ServiceAccountsDep,
) -> ServiceAccountResponse:
    """Change name or description."""
    changed = await accounts.change_account(
        OrganizationId(organization_id),
        service_account_id,
        body.sent(),
        check_version=conditions.require,
        actor=principal,
    )
    conditions.answer(response, changed.version)
    return ServiceAccountResponse.model_validate(changed)


@router.delete(
    "/{service_account_id}",
    status_code=204,
    dependencies=[MANAGES],
    responses=describes(*NOT_THERE, RightsNotHeld, PreconditionFailed),
    summary="Delete a service account",
)
async def delete_account(
    organization_id: UUID,
    service_account_id: UUID,
    principal: PrincipalDep,
    conditions: ConditionsDep,
    accounts: ServiceAccountsDep,
) -> None:
    """Delete a service account; its keys are refused everywhere when this is answered."""
    await accounts.delete_account(
        OrganizationId(organization_id),
        service_account_id,
        check_version=conditions.require,
        actor=principal,
    )


@router.put(
    "/{service_account_id}/roles",
    dependencies=[MANAGES],
    responses=describes(*NOT_THERE, RoleNotFound, RightsNotHeld),
    summary="Set the roles of a service account",
)
async def set_roles(
    organization_id: UUID,
    service_account_id: UUID,
    body: ServiceAccountRolesRequest,
    principal: PrincipalDep,
    accounts: ServiceAccountsDep,
) -> ServiceAccountResponse:
    """Have a service account hold these roles and no others; none that holds what the caller lacks."""
    changed = await accounts.set_roles(
        OrganizationId(organization_id), service_account_id, body.roles, actor=principal
    )
    return ServiceAccountResponse.model_validate(changed)


@router.post(
    "/{service_account_id}/enable",
    dependencies=[MANAGES],
    responses=describes(*NOT_THERE),
    summary="Switch a service account on",
)
async def enable_account(
    organization_id: UUID, service_account_id: UUID, principal: PrincipalDep, accounts: ServiceAccountsDep
) -> ServiceAccountResponse:
    """Let the keys of a service account be good again."""
    where = OrganizationId(organization_id)
    changed = await accounts.enable_account(where, service_account_id, actor=principal)
    return ServiceAccountResponse.model_validate(changed)


@router.post(
    "/{service_account_id}/disable",
    dependencies=[MANAGES],
    responses=describes(*NOT_THERE),
    summary="Switch a service account off",
)
async def disable_account(
    organization_id: UUID, service_account_id: UUID, principal: PrincipalDep, accounts: ServiceAccountsDep
) -> ServiceAccountResponse:
    """Refuse the keys of a service account, everywhere when this is answered, until it is switched on again."""
    where = OrganizationId(organization_id)
    changed = await accounts.disable_account(where, service_account_id, actor=principal)
    return ServiceAccountResponse.model_validate(changed)
