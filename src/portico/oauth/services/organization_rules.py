"""What an organization says of the clients that its members connect in it: let in, kept out, asked for.

Whoever decides takes the lock of the organization, and whoever connects a client there waits for it, so that no grant
is given beside a decision against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from portico.access.services import Tenants
from portico.access.services.bounds import require_covered
from portico.audit.services import record
from portico.core.ids import OrganizationId
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.messaging import Event, EventBus
from portico.oauth.errors import ClientNotFound
from portico.oauth.events import ClientDefaultChanged, ClientRequested, ClientRuled
from portico.oauth.permissions import OAuthPermission
from portico.oauth.repositories import ClientInOrganization, RuleRepository
from portico.oauth.services.clients import Client
from portico.oauth.services.grants import Grants
from portico.oauth.services.workplaces import admission
from portico.oauth.types import Admission, ClientDefault, ClientPolicy, ClientVerdict, GrantEnd
from portico.runtime import Runtime

MOST_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledClient:
    """A client as it stands in an organization, and whether it is let in."""

    facts: ClientInOrganization
    admission: Admission


class OrganizationRules:
    """Shows and changes what organizations say of clients."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def default_of(self, organization_id: OrganizationId) -> ClientDefault:
        """Return what happens to clients of which nothing was said."""
        async with self._runtime.reads() as session:
            return await RuleRepository(session).find_default(organization_id)

    async def list_clients(self, organization_id: OrganizationId) -> Sequence[RuledClient]:
        """Return up to 200 clients that work there or of which something was said, first those that wait for a word."""
        async with self._runtime.reads() as session:
            rules = RuleRepository(session)
            default = await rules.find_default(organization_id)
            found = await rules.list_clients(organization_id, most=MOST_SHOWN)
        return [standing(each, default, organization_id) for each in found]

    async def get_client(self, organization_id: OrganizationId, client_key: UUID) -> RuledClient:
        """Return how one client stands there.

        Raises:
            ClientNotFound: nobody has connected it there or asked for it, and nothing was said of it (404).
        """
        async with self._runtime.reads() as session:
            return await self._get(RuleRepository(session), organization_id, client_key)

    async def rule(
        self,
        organization_id: OrganizationId,
        client_key: UUID,
        verdict: ClientVerdict | None,
        *,
        actor: Principal,
    ) -> RuledClient:
        """Let a client in or keep it out, which ends what it was granted there; None: say nothing of it any more.

        Only of clients that are known in the organization, so that nobody learns which others there are.

        Raises:
            ClientNotFound: it is not known there (404).
            RightsNotHeld: the actor may decide no more (403).
        """
        async with self._unit:
            rules = await self._begin(organization_id, actor)
            before = await self._get(rules, organization_id, client_key)
            if verdict is None:
                await rules.delete_rule(organization_id, client_key)
            else:
                words = {"verdict": verdict, "decided_by": actor.id}
                await rules.save_rule(organization_id, client_key, self._runtime.clock.now(), **words)
            self._record(
                "oauth.client_rule.decided",
                organization_id,
                actor,
                subject=("oauth_client", client_key),
                changes={"verdict": (before.facts.verdict, verdict)},
            )
            await self._emit(
                ClientRuled(
                    at=self._runtime.clock.now(),
                    organization_id=organization_id,
                    client_key=client_key,
                    client_id=before.facts.client_id,
                    verdict=verdict,
                )
            )
            ruled = await self._find(rules, organization_id, client_key)
            await self._end_denied(rules, organization_id, [ruled], actor)
            return await self._find(rules, organization_id, client_key)

    async def set_default(
        self, organization_id: OrganizationId, default: ClientDefault, *, actor: Principal
    ) -> None:
        """Say what happens to clients of which nothing was said; where they are kept out, what they have ends.

        Raises:
            RightsNotHeld: the actor may decide no more (403).
        """
        now = self._runtime.clock.now()
        async with self._unit:
            rules = await self._begin(organization_id, actor)
            before = await rules.find_default(organization_id)
            if before is default:
                return
            await rules.save_default(organization_id, default, now, actor.id)
            self._record(
                "oauth.client_policy.changed",
                organization_id,
                actor,
                changes={"default": (before.value, default.value)},
            )
            event = ClientDefaultChanged(at=now, organization_id=organization_id, default=default)
            await self._emit(event)
            found = await rules.list_clients(organization_id, most=None)
            after = [standing(each, default, organization_id) for each in found]
            await self._end_denied(rules, organization_id, after, actor)

    async def ask(self, organization_id: OrganizationId, client: Client, *, actor: Principal) -> None:
        """Note that a member wants to connect a client; asked again, it stays as it was. `ClientRequested` leaves."""
        now = self._runtime.clock.now()
        async with self._unit:
            rules = RuleRepository(self._unit.session)
            await Tenants(self._runtime, self._unit).lock(organization_id)
            if await rules.find_rule(organization_id, client.key) is not None:
                return
            await rules.save_rule(
                organization_id,
                client.key,
                now,
                verdict=ClientVerdict.REQUESTED,
                asked_by=actor.id,
                decided_by=None,
            )
            self._record(
                "oauth.client_rule.requested",
                organization_id,
                actor,
                subject=("oauth_client", client.key),
            )
            event = ClientRequested(
                at=now,
                organization_id=organization_id,
                client_key=client.key,
                client_id=client.client_id,
                user_id=actor.id,
            )
            await self._emit(event)

    async def _begin(self, organization_id: OrganizationId, actor: Principal) -> RuleRepository:
        await Tenants(self._runtime, self._unit).lock(organization_id)
        wanted = {OAuthPermission.CLIENT_MANAGE.value}
        await require_covered(self._runtime, self._unit, actor, organization_id, wanted)
        return RuleRepository(self._unit.session)

    async def _get(
        self, rules: RuleRepository, organization_id: OrganizationId, client_key: UUID
    ) -> RuledClient:
        found = await self._find(rules, organization_id, client_key)
        if found.facts.verdict is None and not found.facts.people:
            raise ClientNotFound
        return found

    async def _find(
        self, rules: RuleRepository, organization_id: OrganizationId, client_key: UUID
    ) -> RuledClient:
        found = await rules.list_clients(organization_id, client_key, most=1)
        if not found:
            raise ClientNotFound
        return standing(found[0], await rules.find_default(organization_id), organization_id)

    async def _end_denied(
        self,
        rules: RuleRepository,
        organization_id: OrganizationId,
        clients: Sequence[RuledClient],
        actor: Principal,
    ) -> None:
        """End what clients have that are kept out, in the order in which grants are locked everywhere."""
        denied = [each for each in clients if each.admission is Admission.DENIED]
        grants = [
            grant_id
            for each in denied
            for grant_id in await rules.list_grants(organization_id, each.facts.client_key)
        ]
        await Grants(self._runtime, self._unit).end(
            sorted(grants), GrantEnd.REVOKED_BY_ADMINISTRATOR, actor=actor
        )

    def _record(
        self,
        action: str,
        organization_id: OrganizationId,
        actor: Principal,
        *,
        subject: tuple[str, UUID] | None = None,
        changes: dict[str, tuple[str | None, str | None]] | None = None,
    ) -> None:
        record(
            self._runtime,
            self._unit,
            action,
            actor=actor,
            subject=subject or ("organization", organization_id),
            organization_id=organization_id,
            changes=changes,
        )

    async def _emit(self, event: Event) -> None:
        await self._runtime.get(EventBus).emit(event, self._unit)


def standing(
    facts: ClientInOrganization, default: ClientDefault, organization_id: OrganizationId
) -> RuledClient:
    """Return how a client stands in an organization."""
    is_ours = ClientPolicy.of(facts.policy).is_trusted or facts.organization_id == organization_id
    return RuledClient(facts=facts, admission=admission(facts.verdict, default, is_ours=is_ours))
