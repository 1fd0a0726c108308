"""The mail domains of an organization: named, proven, and who joins by them."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import HTMLResponse, Response

from portico.core.errors import PorticoError
from portico.http.access import requires
from portico.http.markers import without_idempotency
from portico.http.schemas import RequestModel
from portico.organizations.organization_pages import HOME, OrganizationPage
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.schemas.domains import AddDomainRequest, DomainResponse
from portico.organizations.services import no_check
from portico.organizations.services.domains import Domains
from portico.organizations.types import OrganizationFacts
from portico.users.types import Account
from portico.web.forms import FormDep
from portico.web.translations import mark

REST = "/domains"
NOBODY = "-"
"""What the form says where nobody joins by himself."""

router = APIRouter(
    prefix=HOME + "/{organization_id}" + REST,
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[Depends(without_idempotency)],
)


class PageDomain(RequestModel):
    """Of which domain a button speaks."""

    domain_id: UUID = Field(strict=False)


class PageJoining(PageDomain):
    """As what people of the domain join; a dash: they do not."""

    role: str = Field(min_length=1, max_length=40)

    def changes(self) -> dict[str, Any]:
        """Return the fields to change."""
        if self.role == NOBODY:
            return {"joins_automatically": False}
        return {"joins_automatically": True, "role": self.role}


class DomainsPage(OrganizationPage):
    """The list of domains."""

    template = "organizations/domains.html.jinja"
    tab = REST

    async def content(self, account: Account, organization: OrganizationFacts) -> Mapping[str, Any]:
        """Return the domains with their records."""
        found = await self.domains.list_domains(self.organization_id)
        return {"domains": [DomainResponse.of(facts) for facts in found], "nobody": NOBODY}

    @property
    def domains(self) -> Domains:
        """Return the service, with a unit of its own."""
        return Domains(self.runtime, self.runtime.unit())


DomainsPageDep = Annotated[DomainsPage, Depends(DomainsPage)]
MANAGES = Depends(requires(OrganizationPermission.DOMAIN_MANAGE))


@router.get("", dependencies=[Depends(requires(OrganizationPermission.DOMAIN_READ))])
async def show_domains(page: DomainsPageDep) -> Response:
    """Show the domains."""
    return await page.show()


@router.post("", dependencies=[MANAGES])
async def add(page: DomainsPageDep, form: FormDep) -> Response:
    """Name a domain."""
    try:
        wish = form.parse(AddDomainRequest)
        await page.domains.add_domain(page.organization_id, wish.domain, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(REST), mark("Now put the record into DNS, then verify it."))


@router.post("/verify", dependencies=[MANAGES])
async def verify(page: DomainsPageDep, form: FormDep) -> Response:
    """Look the record up."""
    try:
        domain_id = form.parse(PageDomain).domain_id
        await page.domains.verify_domain(page.organization_id, domain_id, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(REST), mark("The domain is verified. Leave the record in DNS."))


@router.post("/joining", dependencies=[MANAGES])
async def change_joining(page: DomainsPageDep, form: FormDep) -> Response:
    """Say whether people of the domain join by themselves, and as what."""
    try:
        wish = form.parse(PageJoining)
        await page.domains.change_domain(
            page.organization_id,
            wish.domain_id,
            wish.changes(),
            check_version=no_check,
            actor=page.principal,
        )
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(REST), mark("The domain is changed."))


@router.post("/remove", dependencies=[MANAGES])
async def remove(page: DomainsPageDep, form: FormDep) -> Response:
    """Forget a domain."""
    try:
        domain_id = form.parse(PageDomain).domain_id
        await page.domains.remove_domain(
            page.organization_id, domain_id, check_version=no_check, actor=page.principal
        )
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(REST), mark("The domain is removed. Members stay members."))
