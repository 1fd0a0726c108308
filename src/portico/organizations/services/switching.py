"""Choosing the organization in which the session works from now on."""

from portico.access.services import rights_in
from portico.access.services.authorizing import judge_standing
from portico.core.ids import OrganizationId
from portico.http.access import REFUSALS, OrganizationNotFound
from portico.http.authentication import Principal
from portico.http.policies import Verdict
from portico.organizations.repositories import OrganizationRepository, facts_of
from portico.organizations.services.acts import Acts
from portico.organizations.types import OrganizationFacts
from portico.sessions.services import ActiveOrganizations


class Switching(Acts):
    """Switches sessions between organizations."""

    async def switch(
        self, principal: Principal, organization_id: OrganizationId | None
    ) -> OrganizationFacts | None:
        """Have the caller's session work in one of his organizations, or in none.

        Raises:
            OrganizationNotFound: he does not belong to it (404).
            OrganizationDisabled, SecondFactorRequired, SignInMethodRefused, SignInTooOld: it does not let him (403).
            PersonNeeded: the credential belongs to no session (403).
        """
        facts = None if organization_id is None else await self._joined(principal, organization_id)
        await ActiveOrganizations(self._runtime, self._unit).switch(principal, organization_id)
        return facts

    async def _joined(self, principal: Principal, organization_id: OrganizationId) -> OrganizationFacts:
        rights = await rights_in(self._runtime, principal.id, organization_id, fresh=True)
        if rights is None:
            raise OrganizationNotFound
        async with self._runtime.reads() as session:
            facts = facts_of(await OrganizationRepository(session).get_living(organization_id))
        verdict = judge_standing(principal, rights, self._runtime.clock.now)
        if verdict is not Verdict.ALLOWED:
            raise REFUSALS[verdict]
        return facts
