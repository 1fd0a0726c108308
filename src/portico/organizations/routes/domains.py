"""The API of mail domains."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from portico.access.errors import RightsNotHeld, RoleNotFound
from portico.core.errors import PreconditionFailed
from portico.core.ids import OrganizationId
from portico.http.access import OrganizationDisabled, OrganizationNotFound, requires
from portico.http.dependencies import PrincipalDep, service
from portico.http.etags import ConditionsDep, etag_of
from portico.http.problems import describes
from portico.organizations.errors import (
    DomainAdded,
    DomainChecksLimited,
    DomainNotFound,
    DomainRecordMissing,
    DomainRefused,
    DomainTaken,
    DomainUnverified,
    OwnershipNotJoined,
    TooManyDomains,
)
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.resolving import DnsAway
from portico.organizations.schemas.domains import (
    AddDomainRequest,
    DomainResponse,
    DomainsResponse,
    UpdateDomainRequest,
)
from portico.organizations.services.domains import Domains

DomainsDep = Annotated[Domains, Depends(service(Domains))]

OF_ORGANIZATION = (OrganizationNotFound, OrganizationDisabled)

router = APIRouter(prefix="/organizations/{organization_id}/domains", tags=["domains"])


@router.get(
    "",
    dependencies=[Depends(requires(OrganizationPermission.DOMAIN_READ))],
    responses=describes(*OF_ORGANIZATION),
    summary="List domains",
)
async def list_domains(organization_id: UUID, domains: DomainsDep) -> DomainsResponse:
    """Return all mail domains that the organization has named, with the record that proves each."""
    found = await domains.list_domains(OrganizationId(organization_id))
    return DomainsResponse(data=[DomainResponse.of(facts) for facts in found])


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(requires(OrganizationPermission.DOMAIN_MANAGE))],
    responses=describes(*OF_ORGANIZATION, DomainAdded, TooManyDomains, DomainRefused),
    summary="Add a domain",
)
async def add_domain(
    organization_id: UUID,
    body: AddDomainRequest,
    response: Response,
    principal: PrincipalDep,
    domains: DomainsDep,
) -> DomainResponse:
    """Name a domain. It counts for nothing until its record stands in DNS and was looked up."""
    facts = await domains.add_domain(OrganizationId(organization_id), body.domain, actor=principal)
    response.headers["Location"] = f"/api/v1/organizations/{organization_id}/domains"
    response.headers["ETag"] = etag_of(facts.version)
    return DomainResponse.of(facts)


@router.post(
    "/{domain_id}/verify",
    dependencies=[Depends(requires(OrganizationPermission.DOMAIN_MANAGE))],
    responses=describes(
        *OF_ORGANIZATION, DomainNotFound, DomainRecordMissing, DomainTaken, DomainChecksLimited, DnsAway
    ),
    summary="Verify a domain",
)
async def verify_domain(
    organization_id: UUID,
    domain_id: UUID,
    response: Response,
    principal: PrincipalDep,
    domains: DomainsDep,
) -> DomainResponse:
    """Look the record up in DNS. It must stay there: it is looked up again from time to time."""
    facts = await domains.verify_domain(OrganizationId(organization_id), domain_id, actor=principal)
    response.headers["ETag"] = etag_of(facts.version)
    return DomainResponse.of(facts)


@router.patch(
    "/{domain_id}",
    dependencies=[Depends(requires(OrganizationPermission.DOMAIN_MANAGE))],
    responses=describes(
        *OF_ORGANIZATION,
        DomainNotFound,
        RoleNotFound,
        RightsNotHeld,
        DomainUnverified,
        OwnershipNotJoined,
        PreconditionFailed,
    ),
    summary="Change a domain",
)
async def change_domain(
    *,
    organization_id: UUID,
    domain_id: UUID,
    body: UpdateDomainRequest,
    response: Response,
    principal: PrincipalDep,
    conditions: ConditionsDep,
    domains: DomainsDep,
) -> DomainResponse:
    """Say whether people of the domain join by themselves, and as what."""
    facts = await domains.change_domain(
        OrganizationId(organization_id),
        domain_id,
        body.sent(),
        check_version=conditions.require,
        actor=principal,
    )
    conditions.answer(response, facts.version)
    return DomainResponse.of(facts)


@router.delete(
    "/{domain_id}",
    status_code=204,
    dependencies=[Depends(requires(OrganizationPermission.DOMAIN_MANAGE))],
    responses=describes(*OF_ORGANIZATION, DomainNotFound, PreconditionFailed),
    summary="Remove a domain",
)
async def remove_domain(
    organization_id: UUID,
    domain_id: UUID,
    principal: PrincipalDep,
    conditions: ConditionsDep,
    domains: DomainsDep,
) -> None:
    """Forget a domain. Who joined by it stays."""
    await domains.remove_domain(
        OrganizationId(organization_id), domain_id, check_version=conditions.require, actor=principal
    )
