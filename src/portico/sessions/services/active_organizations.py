"""In which organization a session works; whether it may is asked by `portico.organizations`, which knows them."""

from uuid import UUID

from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.core.ids import OrganizationId, UserId
from portico.db.unit import Unit
from portico.http.access import PersonNeeded
from portico.http.authentication import Principal
from portico.runtime import Runtime
from portico.sessions.errors import SessionEnded
from portico.sessions.repositories.active_organizations import ActiveOrganizationRepository


class ActiveOrganizations:
    """Switches sessions, and takes them out of organizations that were left."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def switch(self, principal: Principal, organization_id: OrganizationId | None) -> None:
        """Have the caller's session work there with its next request, by the same tokens; in none if None.

        Raises:
            PersonNeeded: the credential belongs to no session (403).
            SessionEnded: it has ended in the meantime (401).
        """
        if principal.session_id is None:
            raise PersonNeeded
        async with self._unit:
            sessions = ActiveOrganizationRepository(self._unit.session)
            if not await sessions.switch(principal.session_id, principal.id, organization_id):
                raise SessionEnded
            before = principal.organization_id
            record(
                self._runtime,
                self._unit,
                "session.organization_switched",
                actor=principal,
                subject=("session", principal.session_id),
                organization_id=organization_id,
                changes={"organization": (_text(before), _text(organization_id))},
            )
            await self._runtime.get(RevocationLog).append(self._unit, [f"session:{principal.session_id}"])

    async def leave(self, user_id: UserId, organization_id: OrganizationId) -> None:
        """Take every session of a person out of an organization; call inside the unit that ends his membership."""
        await ActiveOrganizationRepository(self._unit.session).leave(user_id, organization_id)
        await self._runtime.get(RevocationLog).append(self._unit, [f"user:{user_id}"])


def _text(organization_id: UUID | None) -> str | None:
    return None if organization_id is None else str(organization_id)
