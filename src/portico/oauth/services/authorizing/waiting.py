"""Requests that wait for a person, in the database under a ticket.

Pages carry one short secret instead of the request, and the answer is given to the very request that was asked.
"""

from uuid import UUID

from portico.core.ids import new_id
from portico.http.authentication import Principal
from portico.oauth.errors import OAuthRefusal
from portico.oauth.pipeline.asks import Ask, Endpoint, Transport
from portico.oauth.pipeline.parameters import SIGNED, Parameters
from portico.oauth.protocol.refusals import ErrorCode
from portico.oauth.repositories import FoundRequest, RequestRepository
from portico.oauth.services.authorizing.decisions import NotSentBack, TicketInvalid
from portico.oauth.services.authorizing.sign_in import is_person
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import REQUESTS, RequestKind
from portico.runtime import Runtime
from portico.tokens.secret_format import NotASecret

PUSHED = ":pushed"


class Waiting:
    """Parks requests and takes them up again."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def ask(self, given: Parameters, principal: Principal | None, transport: Transport) -> Ask:
        """Return a request as the checks take it.

        Raises:
            NotSentBack: somebody acts in another's name.
        """
        if principal is not None and principal.actor_id is not None:
            raise NotSentBack(
                OAuthRefusal(ErrorCode.ACCESS_DENIED, "nobody connects applications in another's name")
            )
        return Ask(
            runtime=self._runtime,
            unit=self._runtime.unit(),
            endpoint=Endpoint.AUTHORIZE,
            transport=transport,
            given=given,
            now=self._runtime.clock.now(),
            principal=principal if principal is not None and is_person(principal) else None,
        )

    async def park(self, ask: Ask) -> str:
        """Let a request wait; return the ticket under which it does."""
        ticket = REQUESTS.make(self._runtime.entropy)
        pairs = ask.given.pairs
        if ask.pushed_id is not None:
            pairs.append((PUSHED, str(ask.pushed_id)))
        if ask.is_signed:
            pairs.append((SIGNED, "yes"))
        async with ask.unit:
            await RequestRepository(ask.unit.session).add_request(
                id=new_id(),
                kind=RequestKind.PARKED,
                client_key=ask.client.key,
                secret_hash=REQUESTS.hash_of(ticket),
                parameters=[list(pair) for pair in pairs],
                jkt=ask.sender.jkt,
                created_at=ask.now,
                expires_at=ask.now + self._runtime.section(OAuthSettings).interaction_lifetime,
                spent_at=None,
            )
        return ticket

    async def take_up(self, ticket: str, principal: Principal | None, transport: Transport) -> Ask:
        """Return a request that waits.

        Raises:
            NotSentBack: it waits no longer.
        """
        found = await self._find(ticket)
        if found is None or found.spent_at is not None or found.expires_at <= self._runtime.clock.now():
            raise NotSentBack.of(TicketInvalid())
        given = Parameters(found.parameters)
        ask = self.ask(given.without(PUSHED, SIGNED), principal, transport)
        ask.asked_at = found.created_at
        ask.is_signed = given.has(SIGNED)
        pushed = given.one(PUSHED)
        ask.is_pushed, ask.pushed_id = pushed is not None, UUID(pushed) if pushed is not None else None
        if found.jkt is not None and not ask.given.has("dpop_jkt"):
            ask.given = ask.given.merged({"dpop_jkt": found.jkt})
        return ask

    async def spend(self, ask: Ask, ticket: str) -> None:
        """Let it wait no longer, in the open transaction; of two who answer at once one does.

        Raises:
            TicketInvalid: somebody was faster.
        """
        requests = RequestRepository(ask.unit.session)
        found = await requests.find(REQUESTS.hash_of(ticket))
        if found is None or not await requests.spend(found.id, ask.now):
            raise TicketInvalid

    async def _find(self, ticket: str) -> FoundRequest | None:
        try:
            secret_hash = REQUESTS.hash_of(ticket)
        except NotASecret:
            return None
        async with self._runtime.reads() as session:
            found = await RequestRepository(session).find(secret_hash)
        return found if found is not None and found.kind is RequestKind.PARKED else None
