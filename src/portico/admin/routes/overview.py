"""Figures, trail and keys."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from portico.admin.dependencies import OverviewDep
from portico.admin.permissions import AdminPermission
from portico.admin.schemas import (
    RotatedKeyResponse,
    RotateKeyRequest,
    SigningKeyResponse,
    SigningKeysResponse,
    StatisticsResponse,
)
from portico.audit.schemas import TrailEntryResponse, TrailQuery
from portico.http.access import requires
from portico.http.dependencies import PrincipalDep, RuntimeDep
from portico.http.errors import CursorInvalid
from portico.http.pagination import Page
from portico.http.problems import describes
from portico.keys.services import list_keys

router = APIRouter()


@router.get("/stats", dependencies=[Depends(requires(AdminPermission.STATS_READ))], summary="Figures")
async def get_statistics(overview: OverviewDep) -> StatisticsResponse:
    """Return how many people, sessions and failed sign-ins there are."""
    return StatisticsResponse.model_validate(await overview.statistics())


@router.get(
    "/audit",
    dependencies=[Depends(requires(AdminPermission.AUDIT_READ))],
    responses=describes(CursorInvalid),
    summary="The trail",
)
async def list_trail(
    query: Annotated[TrailQuery, Query()], overview: OverviewDep
) -> Page[TrailEntryResponse]:
    """Return one page of the trail, the newest first."""
    page = await overview.list_trail(query)
    return Page[TrailEntryResponse](
        data=[TrailEntryResponse.model_validate(entry) for entry in page.data], pagination=page.pagination
    )


@router.get("/keys", dependencies=[Depends(requires(AdminPermission.KEY_READ))], summary="Signing keys")
async def list_signing_keys(runtime: RuntimeDep) -> SigningKeysResponse:
    """Return the published keys, oldest first."""
    keys = await list_keys(runtime)
    return SigningKeysResponse(data=[SigningKeyResponse.model_validate(key) for key in keys])


@router.post(
    "/keys/rotate",
    dependencies=[Depends(requires(AdminPermission.KEY_ROTATE))],
    summary="Rotate a signing key",
)
async def rotate_signing_key(
    body: RotateKeyRequest, principal: PrincipalDep, overview: OverviewDep
) -> RotatedKeyResponse:
    """Publish a successor; it signs once everybody had time to learn of it, and no request fails."""
    rotated = await overview.rotate_key(body.purpose, actor=principal)
    return RotatedKeyResponse.model_validate(rotated)
