"""Joining by an address: whoever proves one of a verified domain becomes a member, once.

Done after the commit of the proof, because the tenant is locked before the person, and whoever proves an address holds
the person. All that it depends on is read again under the locks.
"""

from typing import Final

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

MAC_PURPOSE: Final = "organizations.departed-address"


class DomainJoining:
    """Lets people in by their domain, and remembers who left."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def join(self, user_id: UserId) -> OrganizationId | None:
        """Make the person a member where his proven address belongs; None where it does not, or he left there."""
        async with self._runtime.reads() as session:
            organization_id = await self._find(
                session, await Users(self._runtime, self._unit).find_user(user_id)
            )
        if organization_id is None:
            return None
        async with self._unit:
            return await self._join(organization_id, user_id)

    async def note_departure(self, organization_id: OrganizationId, user_id: UserId) -> None:
        """Keep that somebody left, in the open unit: he does not come back by himself, nor by a new account."""
        departures = DepartureRepository(self._unit.session)
        address = await departures.find_address(user_id)
        mac = self._mac(organization_id, address) if address else None
        await departures.note(organization_id, user_id, mac, self._runtime.clock.now())

    async def _join(self, organization_id: OrganizationId, user_id: UserId) -> OrganizationId | None:
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
                    organization_id, user_id, [domain.role], how=Joined.BY_DOMAIN, actor=None
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
        return await DomainRepository(session).find_joining(domain_of(account.email_normal_form))

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
