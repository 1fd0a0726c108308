"""What the pages of one organization have in common: which it is, what the caller may do there, its tabs.

Pages of the floors above and of a team's own (keys, documents) may stand beside them: they derive from
`OrganizationPage` and extend `organizations/frame.html.jinja`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from portico.access.types import RoleFacts
from portico.core.ids import OrganizationId
from portico.core.permissions import Permission
from portico.feature import FeatureSet
from portico.http.access import OrganizationNotFound
from portico.http.routing import route_table
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.services import Organizations, Roles
from portico.organizations.types import OrganizationFacts
from portico.users.account_pages import AccountPage
from portico.users.types import Account
from portico.web.translations import mark

HOME: Final = "/account/organizations"
PATH: Final = HOME + "/{organization_id}"


@dataclass(frozen=True, slots=True)
class Tab:
    """One page of an organization, and what one must hold to see it. Features above contribute theirs.

    Those with the same `order` stand as they were declared.
    """

    label: str
    rest: str
    permission: Permission
    order: int = 50


TABS: Final = (
    Tab(mark("Members"), "", OrganizationPermission.MEMBER_READ),
    Tab(mark("Invitations"), "/invitations", OrganizationPermission.MEMBER_INVITE),
    Tab(mark("Teams"), "/teams", OrganizationPermission.TEAM_READ),
    Tab(mark("Roles"), "/roles", OrganizationPermission.ROLE_READ),
    Tab(mark("Domains"), "/domains", OrganizationPermission.DOMAIN_READ),
    Tab(mark("API keys"), "/api-keys", OrganizationPermission.API_KEY_READ),
    Tab(mark("Activity"), "/activity", OrganizationPermission.AUDIT_READ, order=80),
    Tab(mark("Settings"), "/settings", OrganizationPermission.READ, order=90),
)


class OrganizationPage(AccountPage):
    """One page of an organization, for the member who looks at it."""

    tab: str = ""

    @property
    def organization_id(self) -> OrganizationId:
        """Return the organization of the path; its form was checked by `requires(…)`.

        Raises:
            OrganizationNotFound: it is no id (404).
        """
        try:
            return OrganizationId(UUID(self.request.path_params["organization_id"]))
        except ValueError:
            raise OrganizationNotFound from None

    def path(self, rest: str = "") -> str:
        """Return the address of a page of this organization."""
        return f"{HOME}/{self.organization_id}{rest}"

    async def more(self, account: Account) -> dict[str, Any]:
        """Return what every template of an organization needs, and what this one does."""
        organizations = Organizations(self.runtime, self.runtime.unit())
        organization = await organizations.get_organization(self.organization_id)
        own_roles, may = await organizations.standing_of(self.principal, self.organization_id)
        if not own_roles and not may:
            raise OrganizationNotFound
        roles = await Roles(self.runtime, self.runtime.unit()).list_roles(self.organization_id)
        return {
            "organization": organization,
            "base": self.path(),
            "may": may,
            "own_roles": own_roles,
            "roles": roles,
            "role_titles": titles_of(roles),
            "tabs": [tab for tab in self._tabs() if tab.permission.value in may],
            "tab": self.tab,
            **await self.content(account, organization),
        }

    async def content(self, account: Account, organization: OrganizationFacts) -> Mapping[str, Any]:
        """Return what this page shows."""
        return {}

    def _tabs(self) -> Sequence[Tab]:
        """Return the tabs whose pages are there; not every product has every feature."""
        state = self.request.app.state
        if not hasattr(state, "organization_tabs"):
            known = {row.path for row in route_table(self.request.app)}
            tabs = sorted([*TABS, *self.runtime.get(FeatureSet).contributed(Tab)], key=lambda tab: tab.order)
            state.organization_tabs = [tab for tab in tabs if PATH + tab.rest in known]
        found: Sequence[Tab] = state.organization_tabs
        return found


def titles_of(roles: Sequence[RoleFacts]) -> dict[str, str]:
    """Return how roles are called, by what names them."""
    return {name_of(role): role.title for role in roles}


def name_of(role: RoleFacts) -> str:
    """Return what names a role: its id if the organization made it."""
    return str(role.id) if role.id is not None else role.name
