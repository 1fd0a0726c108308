"""The APIs that tokens can be asked for, for administrators of the deployment: `/admin/oauth/resources`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from portico.core.errors import PreconditionFailed
from portico.http.access import requires
from portico.http.dependencies import PrincipalDep
from portico.http.errors import CursorInvalid
from portico.http.etags import ConditionsDep
from portico.http.pagination import Page
from portico.http.problems import describes
from portico.oauth.dependencies import ResourceAdministrationDep
from portico.oauth.errors import ResourceInvalid, ResourceNotFound, ResourceTaken
from portico.oauth.permissions import OAuthPermission
from portico.oauth.schemas.resources import (
    CreateResourceRequest,
    ResourceListQuery,
    ResourceResponse,
    UpdateResourceRequest,
)
from portico.sessions.dependencies import fresh_principal

router = APIRouter(
    prefix="/admin/oauth/resources", tags=["oauth resources"], dependencies=[Depends(fresh_principal)]
)

ROUTE = "GET /admin/oauth/resources"
READS = Depends(requires(OAuthPermission.PLATFORM_READ))
MANAGES = Depends(requires(OAuthPermission.PLATFORM_MANAGE))


@router.get("", dependencies=[READS], responses=describes(CursorInvalid), summary="List APIs")
async def list_resources(
    query: Annotated[ResourceListQuery, Query()], resources: ResourceAdministrationDep
) -> Page[ResourceResponse]:
    """Return one page of the APIs that administrators registered; those of settings and code are not among them."""
    return await resources.list_resources(query, route=ROUTE)


@router.post(
    "",
    status_code=201,
    dependencies=[MANAGES],
    responses=describes(ResourceInvalid, ResourceTaken),
    summary="Register an API",
)
async def create_resource(
    body: CreateResourceRequest,
    response: Response,
    principal: PrincipalDep,
    resources: ResourceAdministrationDep,
) -> ResourceResponse:
    """Register an API by its URL, with its scopes and what they mean; tokens can be asked for at once."""
    facts = body.sent()
    row = await resources.create_resource(facts.pop("identifier"), facts, actor=principal)
    response.headers["Location"] = f"/api/v1/admin/oauth/resources/{row.id}"
    return ResourceResponse.of(row)


@router.get(
    "/{resource_id}", dependencies=[READS], responses=describes(ResourceNotFound), summary="See an API"
)
async def get_resource(
    resource_id: UUID, response: Response, conditions: ConditionsDep, resources: ResourceAdministrationDep
) -> ResourceResponse:
    """Return an API."""
    row = await resources.get_resource(resource_id)
    conditions.answer(response, row.version)
    return ResourceResponse.of(row)


@router.patch(
    "/{resource_id}",
    dependencies=[MANAGES],
    responses=describes(ResourceNotFound, ResourceInvalid, PreconditionFailed),
    summary="Change an API",
)
async def change_resource(
    *,
    resource_id: UUID,
    body: UpdateResourceRequest,
    response: Response,
    conditions: ConditionsDep,
    principal: PrincipalDep,
    resources: ResourceAdministrationDep,
) -> ResourceResponse:
    """Change what is said of an API; what is not named stays, and so does its identifier."""
    row = await resources.change_resource(
        resource_id, body.sent(), check_version=conditions.require, actor=principal
    )
    conditions.answer(response, row.version)
    return ResourceResponse.of(row)


@router.delete(
    "/{resource_id}",
    status_code=204,
    dependencies=[MANAGES],
    responses=describes(ResourceNotFound, PreconditionFailed),
    summary="Remove an API",
)
async def delete_resource(
    resource_id: UUID,
    conditions: ConditionsDep,
    principal: PrincipalDep,
    resources: ResourceAdministrationDep,
) -> None:
    """Remove an API: nobody gets tokens for it any more; those that there are run out."""
    await resources.delete_resource(resource_id, check_version=conditions.require, actor=principal)
