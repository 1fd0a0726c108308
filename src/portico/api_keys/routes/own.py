"""One's own keys: `/api-keys`. Whose they are is never asked of the request."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query, Response

from portico.access.errors import RightsNotHeld
from portico.api_keys.dependencies import FRESH, ApiKeysDep
from portico.api_keys.errors import ApiKeyInvalid, ApiKeyNotFound, ApiKeyOver, ApiKeyRotated, TooManyApiKeys
from portico.api_keys.permissions import ApiKeyPermission
from portico.api_keys.schemas import (
    ApiKeyResponse,
    CreateApiKeyRequest,
    IssuedApiKeyResponse,
    KeyListQuery,
    RotateApiKeyRequest,
    UpdateApiKeyRequest,
)
from portico.api_keys.types import Belonging
from portico.core.errors import PreconditionFailed
from portico.core.ids import UserId
from portico.http.access import OrganizationDisabled, OrganizationNotFound, SignInTooOld, requires
from portico.http.authentication import Principal
from portico.http.dependencies import PrincipalDep, RuntimeDep
from portico.http.errors import CursorInvalid
from portico.http.etags import ConditionsDep
from portico.http.markers import without_idempotency
from portico.http.pagination import Page
from portico.http.problems import describes

router = APIRouter(prefix="/api-keys", tags=["api keys"])

ROUTE = "GET /api-keys"
MAKING = (
    ApiKeyInvalid, RightsNotHeld, SignInTooOld, OrganizationNotFound, OrganizationDisabled, TooManyApiKeys,
)  # fmt: skip
"""What the making of a key may be refused with."""


def mine(principal: Principal) -> Belonging:
    """Return whose keys these routes speak of: the caller's."""
    return Belonging(user_id=UserId(principal.id))


def overlap_of(body: RotateApiKeyRequest | None) -> timedelta | None:
    """Return the overlap that a rotation asks for."""
    hours = body.overlap_hours if body else None
    return None if hours is None else timedelta(hours=hours)


@router.get(
    "",
    dependencies=[Depends(requires(ApiKeyPermission.LIST_OWN))],
    responses=describes(CursorInvalid),
    summary="List one's API keys",
)
async def list_keys(
    query: Annotated[KeyListQuery, Query()], principal: PrincipalDep, keys: ApiKeysDep
) -> Page[ApiKeyResponse]:
    """Return one page of the caller's own keys, the newest first; never their texts."""
    return await keys.list_keys(mine(principal), query, query.wanted(), route=f"{ROUTE} {principal.id}")


@router.post(
    "",
    status_code=201,
    dependencies=[
        Depends(requires(ApiKeyPermission.CREATE_OWN, when=FRESH)),
        Depends(without_idempotency),  # the answer carries the key
    ],
    responses=describes(*MAKING),
    summary="Make an API key",
)
async def create_key(
    body: CreateApiKeyRequest, response: Response, principal: PrincipalDep, keys: ApiKeysDep
) -> IssuedApiKeyResponse:
    """Make a key that acts for the caller; its text is shown this once. Needs a sign-in of the last ten minutes."""
    issued = await keys.create_own(body.wish(), actor=principal)
    response.headers["Location"] = f"/api/v1/api-keys/{issued.id}"
    return IssuedApiKeyResponse.of(issued)


@router.get(
    "/{key_id}",
    dependencies=[Depends(requires(ApiKeyPermission.LIST_OWN))],
    responses=describes(ApiKeyNotFound),
    summary="See an API key",
)
async def get_key(
    *,
    key_id: UUID,
    response: Response,
    conditions: ConditionsDep,
    principal: PrincipalDep,
    keys: ApiKeysDep,
    runtime: RuntimeDep,
) -> ApiKeyResponse:
    """Return a key without its text."""
    row = await keys.get_key(key_id, mine(principal))
    conditions.answer(response, row.version)
    return ApiKeyResponse.of(row, runtime.clock.now())


@router.patch(
    "/{key_id}",
    dependencies=[Depends(requires(ApiKeyPermission.UPDATE_OWN))],
    responses=describes(ApiKeyNotFound, ApiKeyInvalid, ApiKeyOver, PreconditionFailed),
    summary="Change an API key",
)
async def change_key(
    *,
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
        key_id, mine(principal), body.changes(), check_version=conditions.require, actor=principal
    )
    conditions.answer(response, row.version)
    return ApiKeyResponse.of(row, runtime.clock.now())


@router.delete(
    "/{key_id}",
    status_code=204,
    dependencies=[Depends(requires(ApiKeyPermission.REVOKE_OWN))],
    responses=describes(ApiKeyNotFound),
    summary="Revoke an API key",
)
async def revoke_key(key_id: UUID, principal: PrincipalDep, keys: ApiKeysDep) -> None:
    """End a key; it is refused everywhere when this is answered."""
    await keys.revoke_key(key_id, mine(principal), actor=principal)


@router.post(
    "/{key_id}/rotate",
    dependencies=[
        Depends(requires(ApiKeyPermission.ROTATE_OWN, when=FRESH)),
        Depends(without_idempotency),  # the answer carries the key
    ],
    responses=describes(ApiKeyNotFound, ApiKeyOver, ApiKeyRotated, RightsNotHeld, SignInTooOld),
    summary="Rotate an API key",
)
async def rotate_key(
    key_id: UUID,
    principal: PrincipalDep,
    keys: ApiKeysDep,
    body: Annotated[RotateApiKeyRequest | None, Body()] = None,
) -> IssuedApiKeyResponse:
    """Put a new key in the place of an old one, which stays good for the overlap; its text is shown this once."""
    issued = await keys.rotate_key(key_id, mine(principal), actor=principal, overlap=overlap_of(body))
    return IssuedApiKeyResponse.of(issued)
