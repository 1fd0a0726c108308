"""Joining by an address: whoever proves one of a verified domain becomes a member, once.

Done after the commit of the proof, because the tenant is locked before the person, and whoever proves an address holds
the person. All that it depends on is read again under the locks. Who had proven his address before the organization
let people join is let in by a job, one after the other.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from portico.access.errors import RoleNotFound
from portico.access.services import Tenants
from portico.audit.services import record
from portico.audit.types import Outcome
from portico.core.ids import OrganizationId, PrincipalId, UserId
from portico.db.unit import DatabaseSession, Unit
from portico.http.access import OrganizationNotFound
from portico.organizations.domain_names import domain_of
from portico.organizations.errors import AlreadyMember
from portico.organizations.models import Domain
from portico.organizations.repositories.domains import DepartureRepository, DomainRepository
from portico.organizations.services.members import Members
from portico.organizations.types import Joined
from portico.runtime import Runtime
from portico.users.services import Users
from portico.users.types import Account

AT_ONCE: Final = 200
MAC_PURPOSE: Final = "organizations.departed-address"


class DomainJoining:
    """Lets people in by their domain, and remembers who left."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def join(self, user_id: UserId, *, actor_id: PrincipalId | None = None) -> OrganizationId | None:
        """Make the person a member where his proven address belongs; None where it does not, or he left there.

        `actor_id` is who let him in, where he did nothing himself.
        """
        async with self._runtime.reads() as session:
            organization_id = await self._find(
                session, await Users(self._runtime, self._unit).find_user(user_id)
            )
        if organization_id is None:
            return None
        async with self._unit:
            return await self._join(organization_id, user_id, actor_id)

    async def list_outside(self, domain_id: UUID, after: UUID | None) -> Sequence[tuple[UUID, UserId]]:
        """Return some people who may join by a domain, each with a place to go on from; none where nobody may."""
        async with self._runtime.reads() as session:
            domains = DomainRepository(session)
            row = await domains.find(domain_id)
            if row is None or await domains.find_joining(row.domain) is None:
                return ()
            found = await domains.list_people_outside(row, after, AT_ONCE)
        return [(place, UserId(PrincipalId(user_id))) for place, user_id in found]

    async def note_departure(self, organization_id: OrganizationId, user_id: UserId) -> None:
        """Keep that somebody left, in the open unit: he does not come back by himself, nor by a new account."""
        departures = DepartureRepository(self._unit.session)
        address = await departures.find_address(user_id)
        mac = self._mac(organization_id, address) if address else None
        await departures.note(organization_id, user_id, mac, self._runtime.clock.now())

    async def _join(
        self, organization_id: OrganizationId, user_id: UserId, actor_id: PrincipalId | None
    ) -> OrganizationId | None:
        try:
            await Tenants(self._runtime, self._unit).lock(organization_id)
        except OrganizationNotFound:  # deleted since
            return None
        account = await Users(self._runtime, self._unit).find_user(user_id)
        domain = await self._domain_of(self._unit.session, account)
        if account is None or domain is None or domain.organization_id != organization_id:
            return None
        mac = self._mac(organization_id, account.email_normal_form)
        if await DepartureRepository(self._unit.session).exists_departure(organization_id, user_id, mac):
            return None
        try:
            async with self._unit.savepoint():
                await Members(self._runtime, self._unit).add_member(
                    organization_id,
                    user_id,
                    [domain.role],
                    how=Joined.BY_DOMAIN,
                    actor=None,
                    let_in_by=actor_id,
                )
        except AlreadyMember:
            return None
        except RoleNotFound as refusal:  # the organization deleted the role: nobody joins as something else
            self._refuse(organization_id, user_id, refusal.code)
            return None
        return organization_id

    async def _find(self, session: DatabaseSession, account: Account | None) -> OrganizationId | None:
        domain = await self._domain_of(session, account)
        return OrganizationId(domain.organization_id) if domain else None

    async def _domain_of(self, session: DatabaseSession, account: Account | None) -> Domain | None:
        if account is None or not account.email_verified or not account.is_active:
            return None
        domains = DomainRepository(session)
        if not await domains.exists_proven(account.id, account.email_normal_form):
            return None  # somebody only said that it is his
        return await domains.find_joining(domain_of(account.email_normal_form))

    def _refuse(self, organization_id: OrganizationId, user_id: UserId, reason: str) -> None:
        record(
            self._runtime,
            self._unit,
            "organization.joining_refused",
            outcome=Outcome.REFUSED,
            actor=PrincipalId(user_id),
            subject=("user", user_id),
            organization_id=organization_id,
            reason=reason,
        )

    def _mac(self, organization_id: OrganizationId, address: str) -> bytes:
        return self._runtime.lasting.mac(MAC_PURPOSE, organization_id.bytes + address.encode())
