"""Where a client works for a person: in his own name only, or in one of his organizations, if it lets both in.

The person chooses when he consents, and what he chose stays: working in another organization himself moves no
application there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from portico.access.services import RightsReader, rights_in
from portico.access.services.authorizing import judge_standing
from portico.core.ids import OrganizationId
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.http.policies import Verdict
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.repositories import FoundWorkplace, RuleRepository
from portico.oauth.services.clients import Client
from portico.oauth.types import Admission, ClientDefault, ClientVerdict
from portico.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where a client would work; without an organization, in the person's own name only."""

    organization_id: OrganizationId | None = None
    name: str = ""
    admission: Admission = Admission.ALLOWED


ALONE = Workplace()


class Workplaces:
    """Knows where a client may work for somebody."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def choices(self, principal: Principal, client: Client) -> Sequence[Workplace]:
        """Return where the client may work for this person: alone, and in those organizations that let both in."""
        async with self._runtime.reads() as session:
            found = await RuleRepository(session).list_workplaces(principal.id, client.key)
        open_ones = [each for each in found if await self._lets_in(principal, each.organization_id)]
        places = [_workplace(each, client) for each in open_ones]
        return [ALONE, *(place for place in places if place.admission is not Admission.DENIED)]

    async def of(
        self, principal: Principal, client: Client, organization_id: UUID | None
    ) -> Workplace | None:
        """Return the workplace in an organization of the person; None where it lets him do nothing now."""
        if organization_id is None:
            return ALONE
        if not await self._lets_in(principal, organization_id):
            return None
        async with self._runtime.reads() as session:
            found = await RuleRepository(session).find_workplace(organization_id, client.key)
        return _workplace(found, client) if found is not None else None

    async def confirm(
        self, unit: Unit, principal: Principal, client: Client, organization_id: UUID | None
    ) -> None:
        """Make sure inside the open transaction that the client may work there: until the commit nobody changes it.

        Raises:
            Refused: access_denied; the person left the organization, or it does not let the client in.
        """
        if organization_id is None:
            return
        rules = RuleRepository(unit.session)
        await rules.hold_still(organization_id)
        reader = self._runtime.get(RightsReader)
        rights = await reader.read(unit.session, principal.id, OrganizationId(organization_id))
        found = await rules.find_workplace(organization_id, client.key)
        if rights is None or found is None:
            raise Refused(ErrorCode.ACCESS_DENIED, "the person belongs to this organization no more")
        is_let_in = judge_standing(principal, rights, self._runtime.clock.now) is Verdict.ALLOWED
        if not is_let_in or admission_of(client, found) is not Admission.ALLOWED:
            raise Refused(ErrorCode.ACCESS_DENIED, "the organization does not let the application in")

    async def _lets_in(self, principal: Principal, organization_id: UUID) -> bool:
        rights = await rights_in(self._runtime, principal.id, OrganizationId(organization_id))
        return (
            rights is not None
            and judge_standing(principal, rights, self._runtime.clock.now) is Verdict.ALLOWED
        )


def admission_of(client: Client, found: FoundWorkplace) -> Admission:
    """Return whether an organization lets a client in.

    What it says of the client itself comes first; its own clients and the deployment's trusted ones need no word.
    """
    return admission(
        found.verdict,
        found.default,
        is_ours=client.policy.is_trusted or client.organization_id == found.organization_id,
    )


def admission(verdict: ClientVerdict | None, default: ClientDefault, *, is_ours: bool) -> Admission:
    """Return what follows of a rule and a default; see `admission_of`."""
    if verdict is ClientVerdict.ALLOWED or verdict is ClientVerdict.DENIED:
        return Admission(verdict.value)
    if is_ours or default is ClientDefault.ALLOW:
        return Admission.ALLOWED
    if default is ClientDefault.DENY:
        return Admission.DENIED
    return Admission.ASKED if verdict is ClientVerdict.REQUESTED else Admission.NEEDS_APPROVAL


def _workplace(found: FoundWorkplace, client: Client) -> Workplace:
    return Workplace(
        organization_id=OrganizationId(found.organization_id),
        name=found.name,
        admission=admission_of(client, found),
    )
