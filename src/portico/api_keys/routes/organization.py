"""The keys of an organization and of its service accounts: `/organizations/{organization_id}/api-keys`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query, Response

from portico.access.errors import RightsNotHeld
from portico.api_keys.dependencies import FRESH, ApiKeysDep
from portico.api_keys.errors import (
    ApiKeyInvalid,
    ApiKeyNotFound,
    ApiKeyOver,
    ApiKeyRotated,
    ServiceAccountNotFound,
)
from portico.api_keys.routes.own import MAKING, overlap_of
from portico.api_keys.schemas import (
    ApiKeyResponse,
    CreateOrganizationKeyRequest,
    IssuedApiKeyResponse,
    OrganizationKeyListQuery,
    RotateApiKeyRequest,
    UpdateApiKeyRequest,
)
from portico.api_keys.types import Belonging
from portico.core.errors import PreconditionFailed
from portico.core.ids import OrganizationId
from portico.http.access import OrganizationNotFound, SignInTooOld, requires
from portico.http.dependencies import PrincipalDep, RuntimeDep
from portico.http.errors import CursorInvalid
from portico.http.etags import ConditionsDep
from portico.http.markers import without_idempotency
from portico.http.pagination import Page
from portico.http.problems import describes
from portico.organizations.permissions import OrganizationPermission
from portico.sessions.dependencies import fresh_principal

router = APIRouter(
    prefix="/organizations/{organization_id}/api-keys",
    tags=["api keys"],
    dependencies=[Depends(fresh_principal)],
)

ROUTE = "GET /organizations/{organization_id}/api-keys"
READS = Depends(requires(OrganizationPermission.API_KEY_READ))
MANAGES = Depends(requires(OrganizationPermission.API_KEY_MANAGE))
MAKES = Depends(requires(OrganizationPermission.API_KEY_MANAGE, when=FRESH))


def theirs(organization_id: UUID) -> Belonging:
    """Return whose keys these routes speak of: the organization's in the path."""
    return Belonging(organization_id=OrganizationId(organization_id))


@router.get(
    "",
    dependencies=[READS],
    responses=describes(CursorInvalid, OrganizationNotFound),
    summary="List an organization's API keys",
)
async def list_keys(
    organization_id: UUID, query: Annotated[OrganizationKeyListQuery, Query()], keys: ApiKeysDep
) -> Page[ApiKeyResponse]:
    """Return one page of the keys of the organization and of its service accounts; members' own are their own."""
    route = f"{ROUTE} {organization_id}"
    return await keys.list_keys(theirs(organization_id), query, query.wanted(), route=route)


@router.post(
    "",
    status_code=201,
    dependencies=[MAKES, Depends(without_idempotency)],  # the answer carries the key
    responses=describes(*MAKING, ServiceAccountNotFound),
    summary="Make an API key of an organization",
)
async def create_key(
    organization_id: UUID,
    body: CreateOrganizationKeyRequest,
    response: Response,
    principal: PrincipalDep,
    keys: ApiKeysDep,
) -> IssuedApiKeyResponse:
    """Make a key of the organization or of a service account; its text is shown this once.

    Needs a sign-in of the last ten minutes.
    """
    issued = await keys.create_for_organization(body.wish(organization_id), actor=principal)
    response.headers["Location"] = f"/api/v1/organizations/{organization_id}/api-keys/{issued.id}"
    return IssuedApiKeyResponse.of(issued)


@router.get(
    "/{key_id}",
    dependencies=[READS],
    responses=describes(ApiKeyNotFound, OrganizationNotFound),
    summary="See an API key of an organization",
)
async def get_key(
    *,
    organization_id: UUID,
    key_id: UUID,
    response: Response,
    conditions: ConditionsDep,
    keys: ApiKeysDep,
    runtime: RuntimeDep,
) -> ApiKeyResponse:
    """Return a key without its text."""
    row = await keys.get_key(key_id, theirs(organization_id))
    conditions.answer(response, row.version)
    return ApiKeyResponse.of(row, runtime.clock.now())


@router.patch(
    "/{key_id}",
    dependencies=[MANAGES],
    responses=describes(ApiKeyNotFound, OrganizationNotFound, ApiKeyInvalid, ApiKeyOver, PreconditionFailed),
    summary="Change an API key of an organization",
)
async def change_key(
    *,
    organization_id: UUID,
    key_id: UUID,
    body: UpdateApiKeyRequest,
    response: Response,
    conditions: ConditionsDep,
    principal: PrincipalDep,
    keys: ApiKeysDep,
    runtime: RuntimeDep,
) -> ApiKeyResponse:
    """Change name, networks or limits. Scopes and end cannot be changed: make another key."""
    row = await keys.change_key(
        key_id,
        theirs(organization_id),
        body.changes(),
        check_version=conditions.require,
        actor=principal,
    )
    conditions.answer(response, row.version)
    return ApiKeyResponse.of(row, runtime.clock.now())


@router.delete(
    "/{key_id}",
    status_code=204,
    dependencies=[MANAGES],
    responses=describes(ApiKeyNotFound, OrganizationNotFound),
    summary="Revoke an API key of an organization",
)
async def revoke_key(organization_id: UUID, key_id: UUID, principal: PrincipalDep, keys: ApiKeysDep) -> None:
    """End a key; it is refused everywhere when this is answered."""
    await keys.revoke_key(key_id, theirs(organization_id), actor=principal)


@router.post(
    "/{key_id}/rotate",
    dependencies=[MAKES, Depends(without_idempotency)],  # the answer carries the key
    responses=describes(
        ApiKeyNotFound, OrganizationNotFound, ApiKeyOver, ApiKeyRotated, RightsNotHeld, SignInTooOld
    ),
    summary="Rotate an API key of an organization",
)
async def rotate_key(
    organization_id: UUID,
    key_id: UUID,
    principal: PrincipalDep,
    keys: ApiKeysDep,
    body: Annotated[RotateApiKeyRequest | None, Body()] = None,
) -> IssuedApiKeyResponse:
    """Put a new key in the place of an old one, which stays good for the overlap; its text is shown this once."""
    issued = await keys.rotate_key(key_id, theirs(organization_id), actor=principal, overlap=overlap_of(body))
    return IssuedApiKeyResponse.of(issued)
