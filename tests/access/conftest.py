"""A product with one kind of thing in organizations, callers who say who they are, and tenants to put them into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.types import Scope

from portico.access.policies import any_of, holds, owner_of, signed_in_within
from portico.access.services import TenantGrants, Tenants, add_principal
from portico.access.types import OrganizationRole, PlatformRole
from portico.app import default_features
from portico.core.ids import OrganizationId, PrincipalId
from portico.core.permissions import Permission
from portico.db.unit import DatabaseSession
from portico.feature import Feature
from portico.http.access import organization_of, requires
from portico.http.authentication import CredentialKind, Principal, PrincipalKind, Rejection
from portico.http.schemas import ResponseModel
from portico.runtime import Runtime


class PaperPermission(Permission):
    """Rights over papers; the last is for people only."""

    READ = "paper:paper:read"
    WRITE = "paper:paper:write"
    DELETE = "paper:paper:delete"
    SIGN = "paper:paper:sign"
    LIST_OWN = "paper:self:list"
    BURN_OWN = "paper:self:burn"
    COUNT = "platform:paper:count"

    @classmethod
    def interactive(cls) -> frozenset[Permission]:
        return frozenset({cls.SIGN, cls.BURN_OWN})


@dataclass(frozen=True)
class Paper:
    """What a policy looks at."""

    author_id: UUID
    organization_id: UUID | None = None


class Answer(ResponseModel):
    """Where the route worked."""

    organization_id: UUID | None


router = APIRouter()


async def answered(request: Request) -> Answer:
    return Answer(organization_id=organization_of(request))


for path, permission, rule in (
    ("/papers", PaperPermission.READ, None),
    ("/papers/write", PaperPermission.WRITE, None),
    ("/papers/sign", PaperPermission.SIGN, None),
    ("/papers/recent", PaperPermission.READ, signed_in_within(timedelta(minutes=10))),
    ("/organizations/{organization_id}/papers", PaperPermission.READ, None),
    ("/organizations/{organization_id}/papers/write", PaperPermission.WRITE, None),
    ("/own-papers", PaperPermission.LIST_OWN, None),
    ("/own-papers/burn", PaperPermission.BURN_OWN, None),
    ("/all-papers", PaperPermission.COUNT, None),
):
    router.get(path, dependencies=[Depends(requires(permission, when=rule))])(answered)


class Callers:
    """Believes `Authorization: Test <name>`, for callers that a test has described."""

    known: Mapping[str, Principal] = {}

    def __init__(self, runtime: Runtime) -> None:
        del runtime

    async def authenticate(self, scope: Scope, headers: Mapping[str, str]) -> Principal | Rejection | None:
        scheme, _, name = headers.get("authorization", "").partition(" ")
        return self.known.get(name) if scheme == "Test" else None


async def find_paper(paper_id: UUID, session: DatabaseSession) -> Paper | None:
    """Return a paper that belongs to whoever is called like it."""
    return Paper(author_id=paper_id) if paper_id.int else None


def papers_feature() -> Feature:
    return Feature(
        name="papers",
        routers=[router],
        permissions=PaperPermission,
        authenticators=[Callers],
        roles={
            OrganizationRole.ADMIN: {PaperPermission.READ, PaperPermission.WRITE, PaperPermission.DELETE},
            OrganizationRole.MEMBER: {PaperPermission.READ, PaperPermission.WRITE},
            OrganizationRole.VIEWER: {PaperPermission.READ},
            "printer": {PaperPermission.READ},
            PlatformRole.AUDITOR: {PaperPermission.COUNT},
        },
        policies={PaperPermission.DELETE: any_of(holds, owner_of("author_id"))},
        resources={"paper": find_paper},
    )


@pytest.fixture
def features() -> Sequence[Feature]:
    return [*default_features(), papers_feature()]  # the highest floor's authenticators are asked first


@dataclass
class House:
    """Makes tenants and whoever is in them."""

    runtime: Runtime
    callers: dict[str, Principal] = field(default_factory=dict)

    async def principal(
        self,
        name: str = "ada",
        *,
        kind: PrincipalKind = PrincipalKind.USER,
        credential: CredentialKind = CredentialKind.BEARER,
        **facts: object,
    ) -> Principal:
        """Make a principal who calls himself `name`."""
        async with (unit := self.runtime.unit()):
            principal_id = add_principal(self.runtime, unit, kind)
        return self.known(Principal(id=principal_id, kind=kind, credential=credential, **facts), name)  # type: ignore[arg-type]

    def known(self, principal: Principal, name: str) -> Principal:
        """Let a principal be recognised by a word."""
        self.callers[name] = principal
        Callers.known = self.callers
        return principal

    async def tenant(self, owner: Principal) -> OrganizationId:
        """Make a tenant of an owner."""
        async with (unit := self.runtime.unit()):
            organization_id = await Tenants(self.runtime, unit).add_tenant()
            await TenantGrants(self.runtime, unit).set_roles(organization_id, owner.id, ["owner"], actor=None)
        return organization_id

    async def grant(
        self,
        organization_id: OrganizationId,
        holder_id: UUID,
        *roles: str,
        actor: Principal | None = None,
        kind: str = "user",
    ) -> tuple[str, ...]:
        """Have somebody hold roles."""
        grants = TenantGrants(self.runtime, self.runtime.unit())
        return await grants.set_roles(organization_id, holder_id, roles, actor=actor, kind=kind)

    def person(self, principal_id: UUID, **facts: object) -> Principal:
        """Return a principal of a person who has just signed in."""
        given: dict[str, object] = {
            "id": PrincipalId(principal_id),
            "kind": PrincipalKind.USER,
            "credential": CredentialKind.BEARER,
            "auth_time": self.runtime.clock.now(),
        }
        return Principal(**(given | facts))  # type: ignore[arg-type]


@pytest.fixture
def house(runtime: Runtime) -> House:
    return House(runtime)


def as_(name: str) -> dict[str, str]:
    """Return the headers of a caller."""
    return {"Authorization": f"Test {name}"}
