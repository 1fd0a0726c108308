"""An office that administers clients over the API, as administrators and organizations do."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

import httpx2

from portico.access.services import TenantGrants, Tenants
from portico.core.ids import OrganizationId
from portico.oauth.protocol.rfc7591_registration import metadata_of
from portico.oauth.types import ClientKey
from tests.integration.ground import API, enter
from tests.oauth.kit import House, TestClient

CLIENTS = "/admin/oauth/clients"
RESOURCES = "/admin/oauth/resources"
TOKENS = "/admin/oauth/initial-tokens"
LATELY = timedelta(minutes=5)
MCP = "https://api.example.com/mcp"
CALLBACKS = ["https://app.example/callback"]


@dataclass
class Office:
    """Asks the API as somebody, by his access token."""

    house: House

    @classmethod
    async def of(cls, house: House) -> Self:
        """Return the office of a house, with Grace in it; whoever signed in a while ago does so once more."""
        office = cls(house)
        if "grace" not in house.people:
            await house.person("grace", superuser=True)
        for name, person in list(house.people.items()):
            if house.clock.now() - person.opened.session.last_seen_at > LATELY:
                await office.sign_in_again(name)
        return office

    async def sign_in_again(self, name: str = "grace") -> None:
        """Have somebody sign in once more."""
        account = self.house.people[name].account
        self.house.people[name] = await enter(self.house.runtime, account)

    async def by(
        self,
        name: str,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Ask as a person."""
        self.house.http.cookies.clear()
        by = {**self.house.people[name].bearer, **(headers or {})}
        return await self.house.http.request(method, f"{API}{path}", headers=by, json=body)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        """Ask as Grace, who administers the deployment; `_` in the names of headers stands for a dash."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.by("grace", method, path, body, named)

    async def make(self, at: str = CLIENTS, by: str = "grace", **wish: Any) -> dict[str, Any]:
        """Have a client registered; return the answer."""
        answer = await self.by(by, "POST", at, {"client_name": "Acme", **wish})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def organization(self, **roles: str) -> OrganizationId:
        """Make an organization in which these people (by name) hold these roles."""
        runtime = self.house.runtime
        async with (unit := runtime.unit()):
            organization_id = await Tenants(runtime, unit).add_tenant()
            for name, role in roles.items():
                holder = self.house.people[name].id
                await TenantGrants(runtime, unit).set_roles(organization_id, holder, [role], actor=None)
        return organization_id


def developed(made: Mapping[str, Any], secret: str | None = None) -> TestClient:
    """Return the client of an answer as its developer has it."""
    members = {name: value for name, value in made.items() if value is not None}
    metadata = metadata_of(members)
    redirects = metadata.redirect_uris
    return TestClient(
        made["client_id"],
        ClientKey(UUID(made["key"])),
        secret or made["client_secret"],
        metadata,
        redirects[0] if redirects else None,
    )


def own(organization_id: OrganizationId) -> str:
    """Return the path of an organization's own clients."""
    return f"/organizations/{organization_id}/oauth/clients"


def fields_of(answer: httpx2.Response) -> tuple[int, str, set[str]]:
    """Return status, code and which fields are wrong."""
    problem = answer.json()
    return answer.status_code, problem["code"], {each["field"] for each in problem.get("errors", [])}


async def token_of(house: House, made: dict[str, Any], secret: str | None = None) -> httpx2.Response:
    """Have a machine ask for a token."""
    return await house.token(
        developed(made, secret), grant_type="client_credentials", resource=MCP, scope="tools:read"
    )
