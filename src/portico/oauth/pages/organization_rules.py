"""The applications that work in an organization, beside its other pages: let in, kept out, asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse, Response

from portico.core.errors import PorticoError
from portico.http.access import requires
from portico.http.markers import without_idempotency
from portico.oauth.pages.questions import Asker, asker_of
from portico.oauth.permissions import OAuthPermission
from portico.oauth.protocol.rfc7591_registration import metadata_of
from portico.oauth.schemas.organization_rules import PageVerdict, SetClientDefaultRequest
from portico.oauth.services.organization_rules import OrganizationRules, RuledClient
from portico.oauth.types import ClientDefault
from portico.organizations.organization_pages import HOME, OrganizationPage, Tab
from portico.organizations.services import Members
from portico.organizations.types import OrganizationFacts
from portico.users.types import Account
from portico.web.forms import FormDep
from portico.web.translations import mark

APPLICATIONS: Final = "/applications"
TAB: Final = Tab(mark("Applications"), APPLICATIONS, OAuthPermission.CLIENT_READ, order=60)
DEFAULTS: Final = (
    (ClientDefault.ALLOW, mark("Members may connect any application")),
    (ClientDefault.APPROVAL, mark("Members ask, and you let applications in one by one")),
    (ClientDefault.DENY, mark("Only applications that you let in yourself")),
)

router = APIRouter(
    prefix=HOME + "/{organization_id}" + APPLICATIONS,
    default_response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[Depends(without_idempotency)],
)


@dataclass(frozen=True, slots=True)
class ShownClient:
    """A client in plain words, and who asked for it."""

    client: RuledClient
    asker: Asker
    asked_by: str | None


class OrganizationRulesPage(OrganizationPage):
    """The list, and what happens to all others."""

    template = "oauth/organization.html.jinja"
    tab = APPLICATIONS

    async def content(self, account: Account, organization: OrganizationFacts) -> Mapping[str, Any]:
        """Return the clients, those first that wait for an answer."""
        found = await self.rules.list_clients(self.organization_id)
        names = await self._names(found)
        return {
            "clients": [_shown(each, names) for each in found],
            "default": await self.rules.default_of(self.organization_id),
            "defaults": DEFAULTS,
        }

    @property
    def rules(self) -> OrganizationRules:
        """Return the service, with a unit of its own for each use."""
        return OrganizationRules(self.runtime, self.runtime.unit())

    async def _names(self, found: Sequence[RuledClient]) -> dict[UUID, str]:
        members = Members(self.runtime, self.runtime.unit())
        asking = {each.facts.asked_by for each in found if each.facts.asked_by is not None}
        known = await members.list_some(self.organization_id, list(asking))
        return {member.user_id: member.display_name for member in known}


PageDep = Annotated[OrganizationRulesPage, Depends(OrganizationRulesPage)]
MANAGES = Depends(requires(OAuthPermission.CLIENT_MANAGE))


@router.get("", dependencies=[Depends(requires(OAuthPermission.CLIENT_READ))])
async def show_clients(page: PageDep) -> Response:
    """Show the list."""
    return await page.show()


@router.post("", dependencies=[MANAGES])
async def set_default(page: PageDep, form: FormDep) -> Response:
    """Say what happens to applications of which nothing was said."""
    try:
        default = form.parse(SetClientDefaultRequest).default
        await page.rules.set_default(page.organization_id, default, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(APPLICATIONS), mark("Saved."))


@router.post("/rule", dependencies=[MANAGES])
async def rule(page: PageDep, form: FormDep) -> Response:
    """Let an application in, keep it out, or say nothing of it any more."""
    try:
        wish = form.parse(PageVerdict)
        await page.rules.rule(page.organization_id, wish.client_key, wish.said, actor=page.principal)
    except PorticoError as refusal:
        return await page.refused(form, refusal)
    return page.done(page.path(APPLICATIONS), DONE[wish.verdict])


DONE: Final = {
    "allowed": mark("The application is let in. Members can connect it now."),
    "denied": mark("The application is kept out. What members had connected is disconnected."),
    None: mark("Nothing is said of the application any more."),
}


def _shown(client: RuledClient, names: Mapping[UUID, str]) -> ShownClient:
    facts = client.facts
    asker = asker_of(facts.client_id, facts.source, metadata_of(facts.registered))
    return ShownClient(client, asker, names.get(facts.asked_by) if facts.asked_by else None)
