"""Two tenants with everything that a tenant can have, made by their owners through the API."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import Table, select

from portico.db.base import Base
from portico.oauth.services.clients import ClientBook
from portico.oauth.services.grants import Grants, NewGrant
from portico.oauth.types import GrantType
from portico.runtime import Runtime
from portico.testing.organizations import TestOrganizations
from tests.integration.ground import MOVES_BY_ITSELF, Person, enter
from tests.integration.wire import Answer, ask
from tests.sessions.people import add_person
from tests.tenants.swapping import Things

API = "/api/v1"
ROLES = ("owner", "admin", "member", "viewer")
NUMBERS = count(1)
MINE = ("organization_id", "tenant_id")
"""Columns that say whose a row is; where a table has none, the ids in it say it."""
FREE = frozenset(
    {"portico_jobs", "portico_outbox", "portico_events", "portico_idempotency_answers", "portico_revocations"}
)
"""What a request leaves behind that is nobody's."""


@dataclass(slots=True)
class Tenant:
    """One organization, its people and machines, and what it has."""

    name: str
    things: Things
    people: dict[str, Person] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    organization_id: str = ""

    @property
    def callers(self) -> dict[str, dict[str, str]]:
        """Return headers by which somebody of the tenant is known."""
        by_session = {role: person.bearer for role, person in self.people.items()}
        return by_session | {name: {"Authorization": f"Bearer {key}"} for name, key in self.keys.items()}


class World:
    """Makes tenants, asks the application, and looks at what belongs to whom."""

    def __init__(self, runtime: Runtime, app: FastAPI) -> None:
        self.runtime, self.app = runtime, app

    async def tenant(self) -> Tenant:
        """Return a tenant with all that it can have; its canary stands in every text of it."""
        number = next(NUMBERS)
        canary = f"{('quagga', 'axolotl')[number % 2]}{number}"
        tenant = Tenant(canary, Things(canary))
        for role in ROLES:
            address = f"{role}.{canary}@example.org"
            account = await add_person(self.runtime, address, username=f"{role}-{canary}")
            tenant.people[role] = await enter(self.runtime, account, at_pages=False)
            tenant.things.note("user_id", account.id)
            tenant.things.note("session_id", tenant.people[role].session_id)
            tenant.things.words.append(address)
        await self._organize(tenant)
        await self._furnish(tenant)
        await self._give_keys(tenant)
        await self._connect(tenant)
        await self._leave_traces(tenant)
        return tenant

    async def ask(
        self,
        caller: Mapping[str, str],
        method: str,
        target: str,
        body: Mapping[str, Any] | None = None,
        **headers: str,
    ) -> Answer:
        """Send one request as somebody."""
        raw = b"" if body is None else json.dumps(body).encode()
        fields = {**caller, **headers} | ({"content-type": "application/json"} if body is not None else {})
        return await ask(self.app, method, target, headers=fields, body=raw)

    async def made(self, tenant: Tenant, path: str, body: Mapping[str, Any], kind: str) -> Any:
        """Have the owner make a thing; note its id and return the answer."""
        path = path.format(organization_id=tenant.organization_id)
        answer = await self.ask(tenant.callers["owner"], "POST", f"{API}{path}", body)
        assert answer.status_code in {200, 201, 202}, f"{path}: {answer.status_code} {answer.text}"
        made = answer.json()
        tenant.things.note(kind, (made.get("api_key") or made)["id"] if kind == "key_id" else made["id"])
        return made

    async def _organize(self, tenant: Tenant) -> None:
        canary = tenant.things.canary
        made = await self.ask(
            tenant.callers["owner"],
            "POST",
            f"{API}/organizations",
            {"name": f"House {canary}", "slug": f"house-{canary}"},
        )
        assert made.status_code == 201, made.text
        tenant.organization_id = tenant.things.note("organization_id", made.json()["id"])
        tenant.things.words += [f"House {canary}", f"house-{canary}", canary]
        kit = TestOrganizations(self.runtime)
        for role in ROLES[1:]:
            await kit.join(UUID(tenant.organization_id), tenant.people[role], role)
        for person in tenant.people.values():
            switched = await self.ask(
                person.bearer,
                "PUT",
                f"{API}/organizations/active",
                {"organization_id": tenant.organization_id},
            )
            assert switched.status_code < 300, switched.text

    async def _furnish(self, tenant: Tenant) -> None:
        canary, at = tenant.things.canary, "/organizations/{organization_id}"
        await self.made(
            tenant,
            f"{at}/roles",
            {
                "name": f"clerk-{canary}",
                "title": f"Clerk {canary}",
                "description": canary,
                "permissions": ["organization:member:read"],
            },
            "role_id",
        )
        team = await self.made(
            tenant, f"{at}/teams", {"name": f"Team {canary}", "description": canary}, "team_id"
        )
        member = {"user_id": str(tenant.people["member"].id)}
        await self.ask(
            tenant.callers["owner"],
            "POST",
            f"{API}/organizations/{tenant.organization_id}/teams/{team['id']}/members",
            member,
        )
        await self.made(
            tenant, f"{at}/invitations", {"email": f"guest.{canary}@example.org"}, "invitation_id"
        )
        await self.made(tenant, f"{at}/domains", {"domain": f"{canary}.example.org"}, "domain_id")
        tenant.things.words += [
            f"clerk-{canary}",
            f"Team {canary}",
            f"guest.{canary}@example.org",
            f"{canary}.example.org",
        ]

    async def _give_keys(self, tenant: Tenant) -> None:
        canary, at = tenant.things.canary, "/organizations/{organization_id}"
        account = await self.made(
            tenant,
            f"{at}/service-accounts",
            {"name": f"Robot {canary}", "roles": ["admin"]},
            "service_account_id",
        )
        scopes = [
            "organization:organization:read",
            "organization:member:read",
            "organization:member:update",
            "organization:role:manage",
            "organization:role:read",
            "organization:team:manage",
            "organization:team:read",
            "organization:audit:read",
        ]
        common = {"name": f"Key {canary}", "scopes": scopes}
        own = await self.made(tenant, f"{at}/api-keys", common, "key_id")
        robot = await self.made(
            tenant, f"{at}/api-keys", common | {"service_account_id": account["id"]}, "key_id"
        )
        personal = await self.made(
            tenant,
            "/api-keys",
            {
                "name": f"Mine {canary}",
                "scopes": [*scopes, "user:self:read", "organization:self:list"],
                "organization_id": tenant.organization_id,
            },
            "key_id",
        )
        tenant.keys = {"own key": own["key"], "robot": robot["key"], "personal key": personal["key"]}

    async def _connect(self, tenant: Tenant) -> None:
        """Register a client of the tenant's own, let it act for a member, and have the owner say that it may."""
        things, at = tenant.things, f"{API}/organizations/{tenant.organization_id}/oauth"
        wish = {"kind": "machine", "client_name": f"Client {things.canary}"}
        answer = await self.ask(tenant.callers["owner"], "POST", f"{at}/clients", wish)
        assert answer.status_code == 201, answer.text
        key = things.note("client_key", answer.json()["key"])
        for secret in answer.json()["secrets"]:
            things.note("secret_id", secret["id"])
        client = await self.runtime.get(ClientBook).find_by_key(UUID(key))
        assert client is not None
        grant = NewGrant(
            client=client,
            kind=GrantType.AUTHORIZATION_CODE,
            scope="openid",
            user_id=tenant.people["member"].id,
            organization_id=UUID(tenant.organization_id),
            is_offline=True,
        )
        await Grants(self.runtime, self.runtime.unit()).give(grant)
        ruled = await self.ask(tenant.callers["owner"], "PUT", f"{at}/rules/{key}", {"verdict": "allowed"})
        assert ruled.status_code == 200, ruled.text
        things.words.append(wish["client_name"])

    async def _leave_traces(self, tenant: Tenant) -> None:
        """Collect cursors and keys of answers that are the tenant's own."""
        for path in ("members?page_size=1", "audit?page_size=1", "api-keys?page_size=1"):
            answer = await self.ask(
                tenant.callers["owner"], "GET", f"{API}/organizations/{tenant.organization_id}/{path}"
            )
            assert answer.status_code == 200, f"{path}: {answer.text}"
            if cursor := answer.json()["pagination"]["next_cursor"]:
                tenant.things.cursors.append(cursor)
        key = f"idempotent-{tenant.things.canary}"
        kept = await self.ask(
            tenant.callers["owner"],
            "POST",
            f"{API}/organizations/{tenant.organization_id}/teams",
            {"name": f"Kept {tenant.things.canary}"},
            **{"idempotency-key": key},
        )
        tenant.things.note("team_id", kept.json()["id"])
        tenant.things.idempotency_keys.append(key)

    async def is_whole(self, tenant: Tenant) -> bool:
        """Tell whether the tenant can still be asked as itself."""
        answers = [
            await self.ask(headers, "GET", f"{API}/organizations/{tenant.organization_id}")
            for headers in tenant.callers.values()
        ]
        return all(answer.status_code == 200 for answer in answers)

    async def belongings(self, tenant: Tenant) -> dict[str, str]:
        """Return a checksum of what belongs to a tenant, table by table."""
        ids = {each.replace("-", "") for each in tenant.things.all_ids}
        sums = {}
        async with self.runtime.reads() as session:
            for table in _tables():
                rows = (await session.execute(select(table))).all()
                theirs = sorted(repr(tuple(row)) for row in rows if _belongs(table, row, ids))
                sums[table.name] = hashlib.sha256("\n".join(theirs).encode()).hexdigest()[:16]
        return sums


def _tables() -> list[Table]:
    return [
        table
        for name, table in sorted(Base.metadata.tables.items())
        if name.startswith("portico_") and name not in MOVES_BY_ITSELF and name not in FREE
    ]


def _belongs(table: Table, row: Any, ids: set[str]) -> bool:
    values = dict(zip((column.name for column in table.columns), row, strict=True))
    owner = next((values[name] for name in MINE if values.get(name) is not None), None)
    if owner is not None:
        return _hex(owner) in ids
    if table.name.startswith(
        "portico_audit"
    ):  # the platform's trail, on which refusals name what was asked for
        return False
    # Ids only: whoever calls himself by the id of somebody has not changed him.
    return any(_hex(value) in ids for value in values.values() if isinstance(value, UUID))


def _hex(value: Any) -> str:
    return str(value).replace("-", "")
