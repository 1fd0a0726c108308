"""What an organization says of the applications that its members connect: `/organizations/{organization_id}/oauth`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from portico.access.errors import RightsNotHeld
from portico.core.ids import OrganizationId
from portico.http.access import OrganizationDisabled, OrganizationNotFound, requires
from portico.http.dependencies import PrincipalDep, service
from portico.http.problems import describes
from portico.oauth.errors import ClientNotFound
from portico.oauth.permissions import OAuthPermission
from portico.oauth.schemas.organization_rules import (
    ClientDefaultResponse,
    OrganizationConnectionsResponse,
    RuleClientRequest,
    RuledClientResponse,
    SetClientDefaultRequest,
)
from portico.oauth.services.organization_rules import OrganizationRules

RulesDep = Annotated[OrganizationRules, Depends(service(OrganizationRules))]
OF_ORGANIZATION = (OrganizationNotFound, OrganizationDisabled)
READS = Depends(requires(OAuthPermission.CLIENT_READ))
MANAGES = Depends(requires(OAuthPermission.CLIENT_MANAGE))

router = APIRouter(prefix="/organizations/{organization_id}/oauth", tags=["oauth connections"])


@router.get(
    "/connections",
    dependencies=[READS],
    responses=describes(*OF_ORGANIZATION),
    summary="List the applications that work in an organization",
)
async def list_connections(organization_id: UUID, rules: RulesDep) -> OrganizationConnectionsResponse:
    """Return the applications that members have connected there or asked for, and what was said of each.

    Open questions come first. At most 200.
    """
    where = OrganizationId(organization_id)
    found = await rules.list_clients(where)
    return OrganizationConnectionsResponse(
        default=await rules.default_of(where), data=[RuledClientResponse.of(each) for each in found]
    )


@router.put(
    "/rules",
    dependencies=[MANAGES],
    responses=describes(*OF_ORGANIZATION, RightsNotHeld),
    summary="Say what happens to applications of which nothing was said",
)
async def set_default(
    organization_id: UUID, body: SetClientDefaultRequest, principal: PrincipalDep, rules: RulesDep
) -> ClientDefaultResponse:
    """Let them in, have members ask for them, or keep them out, which ends what they were granted there."""
    await rules.set_default(OrganizationId(organization_id), body.default, actor=principal)
    return ClientDefaultResponse(default=body.default)


@router.put(
    "/rules/{client_key}",
    dependencies=[MANAGES],
    responses=describes(*OF_ORGANIZATION, RightsNotHeld, ClientNotFound),
    summary="Let an application in, or keep it out",
)
async def rule_client(
    organization_id: UUID,
    client_key: UUID,
    body: RuleClientRequest,
    principal: PrincipalDep,
    rules: RulesDep,
) -> RuledClientResponse:
    """Decide over an application that members have connected or asked for; kept out, it loses what it was granted."""
    where = OrganizationId(organization_id)
    return RuledClientResponse.of(await rules.rule(where, client_key, body.said, actor=principal))


@router.delete(
    "/rules/{client_key}",
    status_code=204,
    dependencies=[MANAGES],
    responses=describes(*OF_ORGANIZATION, RightsNotHeld, ClientNotFound),
    summary="Say nothing of an application any more",
)
async def forget_rule(
    organization_id: UUID, client_key: UUID, principal: PrincipalDep, rules: RulesDep
) -> None:
    """Let the default of the organization decide over it again; an open question is closed by it."""
    await rules.rule(OrganizationId(organization_id), client_key, None, actor=principal)
