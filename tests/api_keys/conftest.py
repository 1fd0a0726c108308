"""People with sessions, an organization with roles, and keys made over the API as their holders make them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx2
import pytest

from portico.access.services import TenantGrants, Tenants
from portico.app import assemble
from portico.composition import compose, opened
from portico.core.ids import OrganizationId
from portico.core.settings import Settings
from portico.feature import Feature
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.integration.ground import API, Person, enter, make_superuser
from tests.sessions.people import FAST_HASHES, add_person

SELF = ["user:self:read"]


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": FAST_HASHES, "logging": {"access": False}}


def by_key(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def code_of(answer: httpx2.Response) -> tuple[int, str]:
    """Return status and code; of a 401 its reason, if it has one."""
    body = answer.json() if answer.content else {}
    return answer.status_code, body.get("reason") or body.get("code", "")


@dataclass
class House:
    """Makes people, organizations and keys, and asks."""

    runtime: Runtime
    client: httpx2.AsyncClient
    people: dict[str, Person] = field(default_factory=dict)

    async def person(self, name: str, *, superuser: bool = False) -> Person:
        account = await add_person(self.runtime, f"{name}@example.org")
        if superuser:
            await make_superuser(self.runtime, account)
        self.people[name] = await enter(self.runtime, account)
        return self.people[name]

    async def organization(self, **roles: str) -> OrganizationId:
        """Make an organization in which these people (by name) hold these roles."""
        async with (unit := self.runtime.unit()):
            organization_id = await Tenants(self.runtime, unit).add_tenant()
            for name, role in roles.items():
                await self.grant(organization_id, self.people[name].id, role, unit=unit)
        return organization_id

    async def grant(
        self, organization_id: OrganizationId, holder: UUID, *roles: str, unit: Any = None
    ) -> None:
        grants = TenantGrants(self.runtime, unit or self.runtime.unit())
        await grants.set_roles(organization_id, holder, roles, actor=None)

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> httpx2.Response:
        self.client.cookies.clear()
        return await self.client.request(method, f"{API}{path}", headers=headers or {}, json=body)

    async def by(self, name: str, method: str, path: str, body: Any = None) -> httpx2.Response:
        """Ask as a person, by his access token."""
        return await self.ask(method, path, self.people[name].bearer, body)

    async def make(self, name: str, /, at: str = "/api-keys", **wish: Any) -> dict[str, Any]:
        """Have a person make a key; return the answer."""
        answer = await self.by(name, "POST", at, {"name": "a key", "scopes": SELF, **wish})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def key(self, name: str, /, **wish: Any) -> str:
        """Have a person make a key; return its text."""
        return str((await self.make(name, **wish))["key"])

    async def me(self, text: str) -> httpx2.Response:
        return await self.ask("GET", "/users/me", by_key(text))


@pytest.fixture
async def house(runtime: Runtime, client: httpx2.AsyncClient) -> House:
    made = House(runtime, client)
    for name in ("ada", "bob"):
        await made.person(name)
    await made.person("grace", superuser=True)
    return made


@pytest.fixture
async def elsewhere(
    settings: Settings, features: Sequence[Feature], clock: FrozenClock, runtime: Runtime
) -> AsyncIterator[httpx2.AsyncClient]:
    """Return a client of another node of the same deployment, with a memory of its own."""
    async with opened(compose(settings, features, clock=clock)) as other:
        transport = httpx2.ASGITransport(app=assemble(other), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=settings.public_url) as client:
            yield client
