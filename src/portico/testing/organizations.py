"""Organizations for tests: made and peopled in one line, by the services.

    acme = await organizations.make(ada)                       # Ada owns it
    bob = await organizations.join(acme, await people.sign_up("bob@example.com"), "admin")
    await client.get(f"/api/v1/organizations/{acme.id}", headers=bob.headers)

Whoever tests how organizations are made does it by the API.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol
from uuid import UUID

from portico.access.services import Tenants
from portico.access.types import SignInRules
from portico.core.ids import OrganizationId, PrincipalId, UserId
from portico.http.authentication import CredentialKind, Principal, PrincipalKind
from portico.organizations.services import (
    Members,
    NewOrganization,
    OrganizationLifecycle,
    Organizations as OrganizationServices,
    Switching,
    Teams,
)
from portico.organizations.types import Joined
from portico.runtime import Runtime

_NUMBERS = count(1)


class HasId(Protocol):
    """A person of the kit, an account, or whatever else knows its id."""

    @property
    def id(self) -> UUID:
        """Return the id."""
        ...


@dataclass(frozen=True, slots=True)
class TestOrganization:
    """An organization and who owns it."""

    __test__ = False

    id: OrganizationId
    name: str
    slug: str
    owner_id: UserId

    @property
    def path(self) -> str:
        """Return where the API has it."""
        return f"/api/v1/organizations/{self.id}"


class TestOrganizations:
    """Makes organizations in the application under test; the fixture `organizations`."""

    __test__ = False

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def make(
        self, owner: HasId | UUID, name: str | None = None, *, slug: str | None = None
    ) -> TestOrganization:
        """Make an organization that the person owns; without a name it gets one of its own."""
        number = next(_NUMBERS)
        new = NewOrganization(
            name=name or f"Organization {number}", slug=slug or (None if name else f"org-{number}-kit")
        )
        owner_id = user_id_of(owner)
        made = await OrganizationServices(self._runtime, self._runtime.unit()).create_organization(
            new, owner_id=owner_id, actor=None
        )
        return TestOrganization(made.id, made.name, made.slug, owner_id)

    async def join[H: HasId](self, organization: HasId | UUID, person: H, *roles: str) -> H:
        """Make the person a member with these roles, by default `member`; return the person."""
        await Members(self._runtime, self._runtime.unit()).add_member(
            organization_id_of(organization),
            user_id_of(person),
            roles or ("member",),
            how=Joined.ADDED,
            actor=None,
        )
        return person

    async def make_team(
        self,
        organization: TestOrganization,
        name: str = "Team",
        *,
        members: Sequence[HasId | UUID] = (),
        roles: Sequence[str] = (),
    ) -> UUID:
        """Make a team with these members and roles, in the owner's name; return its id."""
        runtime, owner = self._runtime, acting_as(organization.owner_id)
        async with runtime.unit() as unit:
            teams = Teams(runtime, unit)
            team = await teams.create_team(organization.id, name=name, actor=owner)
            for member in members:
                await teams.add_member(organization.id, team.id, user_id_of(member), actor=owner)
            if roles:
                await teams.set_roles(organization.id, team.id, roles, actor=owner)
        return team.id

    async def set_rules(self, organization: HasId | UUID, **rules: Any) -> None:
        """Say how one must have signed in there (`min_aal`, `methods`, `max_age`), whoever it locks out."""
        async with self._runtime.unit() as unit:
            tenants = Tenants(self._runtime, unit)
            await tenants.set_rules(organization_id_of(organization), SignInRules(**rules))

    async def switch(self, principal: Principal, organization: HasId | UUID) -> None:
        """Have the session of the principal work there."""
        switching = Switching(self._runtime, self._runtime.unit())
        await switching.switch(principal, organization_id_of(organization))

    async def disable(self, organization: HasId | UUID) -> None:
        """Switch it off, as an administrator does."""
        lifecycle = OrganizationLifecycle(self._runtime, self._runtime.unit())
        await lifecycle.disable(organization_id_of(organization), actor=None)

    async def delete(self, organization: HasId | UUID) -> None:
        """Delete it, to be erased when the grace is over."""
        lifecycle = OrganizationLifecycle(self._runtime, self._runtime.unit())
        await lifecycle.delete(organization_id_of(organization), actor=None)


def acting_as(user_id: UUID, *, roles: frozenset[str] = frozenset()) -> Principal:
    """Return a principal as services are given it, without a session: for tests below the routes."""
    return Principal(
        id=PrincipalId(user_id), kind=PrincipalKind.USER, credential=CredentialKind.JOB, roles=roles
    )


def user_id_of(person: HasId | UUID) -> UserId:
    """Return the id of a person."""
    return UserId(PrincipalId(person if isinstance(person, UUID) else person.id))


def organization_id_of(organization: HasId | UUID) -> OrganizationId:
    """Return the id of an organization."""
    return OrganizationId(organization if isinstance(organization, UUID) else organization.id)
