"""All keys of the deployment, for its administrators: `/admin/api-keys`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from portico.api_keys.dependencies import FRESH, ApiKeysDep, HoneytokensDep
from portico.api_keys.errors import ApiKeyNotFound
from portico.api_keys.permissions import ApiKeyPermission
from portico.api_keys.schemas import (
    AdminKeyListQuery,
    ApiKeyResponse,
    IssuedApiKeyResponse,
    PlantHoneytokenRequest,
)
from portico.api_keys.types import Belonging
from portico.http.access import SignInTooOld, requires
from portico.http.dependencies import PrincipalDep, RuntimeDep
from portico.http.errors import CursorInvalid
from portico.http.markers import without_idempotency
from portico.http.pagination import Page
from portico.http.problems import describes
from portico.sessions.dependencies import fresh_principal

router = APIRouter(prefix="/admin/api-keys", tags=["api keys"], dependencies=[Depends(fresh_principal)])

ROUTE = "GET /admin/api-keys"


@router.get(
    "",
    dependencies=[Depends(requires(ApiKeyPermission.PLATFORM_READ))],
    responses=describes(CursorInvalid),
    summary="List all API keys",
)
async def list_keys(query: Annotated[AdminKeyListQuery, Query()], keys: ApiKeysDep) -> Page[ApiKeyResponse]:
    """Return one page of all keys, the newest first. Who found one gives its first eight characters as `q`."""
    return await keys.list_keys(Belonging.to_anybody(), query, query.wanted(), route=ROUTE)


@router.post(
    "",
    status_code=201,
    dependencies=[
        Depends(requires(ApiKeyPermission.PLATFORM_PLANT, when=FRESH)),
        Depends(without_idempotency),  # the answer carries the key
    ],
    responses=describes(SignInTooOld),
    summary="Make a honeytoken",
)
async def plant_honeytoken(
    body: PlantHoneytokenRequest, response: Response, principal: PrincipalDep, honeytokens: HoneytokensDep
) -> IssuedApiKeyResponse:
    """Make a key that opens nothing and raises an alert when somebody tries it; its text is shown this once."""
    issued = await honeytokens.create_honeytoken(body.name, actor=principal)
    response.headers["Location"] = f"/api/v1/admin/api-keys/{issued.id}"
    return IssuedApiKeyResponse.of(issued)


@router.get(
    "/{key_id}",
    dependencies=[Depends(requires(ApiKeyPermission.PLATFORM_READ))],
    responses=describes(ApiKeyNotFound),
    summary="See any API key",
)
async def get_key(key_id: UUID, keys: ApiKeysDep, runtime: RuntimeDep) -> ApiKeyResponse:
    """Return a key without its text."""
    return ApiKeyResponse.of(await keys.get_key(key_id, Belonging.to_anybody()), runtime.clock.now())


@router.delete(
    "/{key_id}",
    status_code=204,
    dependencies=[Depends(requires(ApiKeyPermission.PLATFORM_REVOKE))],
    responses=describes(ApiKeyNotFound),
    summary="Revoke any API key",
)
async def revoke_key(key_id: UUID, principal: PrincipalDep, keys: ApiKeysDep) -> None:
    """End a key, whosever it is; it is refused everywhere when this is answered."""
    await keys.revoke_key(key_id, Belonging.to_anybody(), actor=principal)
