"""The use case: from a checked request to a code, a question, or a refusal.

What a person has to answer first (sign in, consent) makes the request wait; it passes all checks again when it goes on.
"""

from datetime import datetime

from portico.audit.services import record
from portico.audit.types import Outcome
from portico.http.authentication import Principal
from portico.keys.services import ensure_keys
from portico.oauth.errors import OAuthRefusal
from portico.oauth.models import OAuthConsent
from portico.oauth.pipeline.asks import Ask, Transport
from portico.oauth.pipeline.parameters import Parameters
from portico.oauth.pipeline.table import check
from portico.oauth.protocol.oidc_claims import scopes_asked_by_claims
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.repositories import RequestRepository
from portico.oauth.services.authorizing.decisions import (
    Answer,
    ApprovalNeeded,
    Choice,
    ConsentNeeded,
    Decision,
    NotSentBack,
    Question,
    SignInNeeded,
    answer,
    as_refusal,
    refused,
    sent_back,
)
from portico.oauth.services.authorizing.sign_in import check_strength, context_of, sign_in_fault
from portico.oauth.services.authorizing.waiting import Waiting
from portico.oauth.services.consents import Consents, ConsentWish, is_needed
from portico.oauth.services.grants import Grants, NewGrant
from portico.oauth.services.id_tokens import purpose_of
from portico.oauth.services.organization_rules import OrganizationRules
from portico.oauth.services.workplaces import ALONE, Workplace, Workplaces
from portico.oauth.types import CODES, Admission, GrantType
from portico.runtime import Runtime


class Authorizing:
    """Takes authorization requests."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._waiting = Waiting(runtime)

    async def begin(self, given: Parameters, principal: Principal | None, transport: Transport) -> Decision:
        """Take a request as it arrives; it is answered, or waits for the person.

        Raises:
            NotSentBack: it is refused, and the client must not or need not hear of it.
        """
        ask = self._waiting.ask(given, principal, transport)
        return await self._checked(ask)

    async def resume(self, ticket: str, principal: Principal | None, transport: Transport) -> Decision:
        """Take a request up again that waited for a sign-in.

        Raises:
            NotSentBack: as `begin`; also where it waits no longer.
        """
        ask = await self._waiting.take_up(ticket, principal, transport)
        return await self._checked(ask, ticket)

    async def question(
        self, ticket: str, principal: Principal, transport: Transport
    ) -> Question | SignInNeeded:
        """Return what the person is to be asked, if he need not sign in once more before.

        Raises:
            NotSentBack: as `resume`.
        """
        ask = await self._waiting.take_up(ticket, principal, transport)
        try:
            await check(ask)
            if sign_in_fault(ask) is not None:
                return SignInNeeded(ticket, again=True)
            check_strength(ask, principal)
            given = await Consents(self._runtime, ask.unit).find_given(principal.id, ask.client)
            chosen = await self._place(ask, principal, given)
        except (Refused, OAuthRefusal) as fault:
            raise NotSentBack.of(fault) from None
        places = await Workplaces(self._runtime).choices(principal, ask.client)
        return Question(ask=ask, ticket=ticket, places=places, chosen=chosen)

    async def approve(
        self, ticket: str, principal: Principal, transport: Transport, choice: Choice | None = None
    ) -> Answer | SignInNeeded | ApprovalNeeded:
        """The person says yes: consent, grant and code in one transaction; of two clicks one counts.

        Without a choice the client works where the page would have let it. Where the organization wants to be asked
        first, its administrators are, and the request goes on waiting.

        Raises:
            NotSentBack: the request waits no longer, or fits no longer.
            Refused: the organization lets the person or the client in no more, or somebody was faster.
        """
        question = await self.question(ticket, principal, transport)
        if isinstance(question, SignInNeeded):
            return question
        place = question.chosen if choice is None else question.place_of(choice.organization_id)
        if place is None:
            raise Refused(ErrorCode.INVALID_REQUEST, "the application cannot work in this organization")
        if place.organization_id is not None and place.admission is not Admission.ALLOWED:
            rules = OrganizationRules(self._runtime, self._runtime.unit())
            await rules.ask(place.organization_id, question.ask.client, actor=principal)
            return ApprovalNeeded(question=question, place=place)
        return await self._approved(question.ask, ticket, principal, place)

    async def deny(self, ticket: str, principal: Principal, transport: Transport) -> Answer:
        """The person says no.

        Raises:
            NotSentBack: the request waits no longer, or fits no longer.
        """
        ask = await self._waiting.take_up(ticket, principal, transport)
        try:
            await check(ask)
        except (Refused, OAuthRefusal) as fault:
            raise NotSentBack.of(fault) from None
        async with ask.unit:
            await self._waiting.spend(ask, ticket)
            if ask.pushed_id is not None:
                await RequestRepository(ask.unit.session).spend(ask.pushed_id, ask.now)
            record(
                self._runtime,
                ask.unit,
                "oauth.consent.denied",
                outcome=Outcome.REFUSED,
                actor=principal,
                subject=("oauth_client", ask.client.key),
                details={"client_id": ask.client.client_id},
            )
        return refused(ask, ErrorCode.ACCESS_DENIED, "the person said no")

    async def _checked(self, ask: Ask, ticket: str | None = None) -> Decision:
        try:
            await check(ask)
            return await self._decided(ask, ticket)
        except (Refused, OAuthRefusal) as fault:
            return sent_back(ask, as_refusal(fault))

    async def _decided(self, ask: Ask, ticket: str | None) -> Decision:
        fault = sign_in_fault(ask)
        if fault is not None:
            if "none" in ask.prompts:
                raise Refused(ErrorCode.LOGIN_REQUIRED, fault)
            return await self._sign_in_needed(ask, ticket)
        principal = ask.principal
        if principal is None:
            raise RuntimeError("nobody is signed in, and nobody was asked to")
        check_strength(ask, principal)
        given = await Consents(self._runtime, ask.unit).find_given(principal.id, ask.client)
        place = await self._place(ask, principal, given)
        if _must_ask(ask, given, place):
            if "none" in ask.prompts:
                raise Refused(ErrorCode.CONSENT_REQUIRED, "the person has to be asked")
            return ConsentNeeded(ticket or await self._waiting.park(ask))
        await self._prepare(ask)
        async with ask.unit:
            until = await self._confirm(ask, principal, place)
            await self._confirm_consent(ask, principal, place)
            if ticket is not None:
                await self._waiting.spend(ask, ticket)
            return await self._answered(ask, principal, place, until)

    async def _approved(self, ask: Ask, ticket: str, principal: Principal, place: Workplace) -> Answer:
        await self._prepare(ask)
        async with ask.unit:
            until = await self._confirm(ask, principal, place)
            await self._waiting.spend(ask, ticket)
            consents = Consents(self._runtime, ask.unit)
            await consents.give(principal, _wish(ask), place.organization_id)
            return await self._answered(ask, principal, place, until)

    async def _sign_in_needed(self, ask: Ask, ticket: str | None) -> SignInNeeded:
        return SignInNeeded(
            ticket or await self._waiting.park(ask),
            again=ask.principal is not None,
            is_new=ask.principal is None and "create" in ask.prompts,
            login_hint=ask.given.one("login_hint"),
        )

    async def _place(self, ask: Ask, principal: Principal, given: OAuthConsent | None) -> Workplace:
        """Return where the client works unless the person says otherwise: where he let it work, else where he does.

        Raises:
            Refused: access_denied; it is kept out of the organization in which the person works.
        """
        places = Workplaces(self._runtime)
        if given is not None:
            kept = await places.of(principal, ask.client, given.organization_id)
            if kept is not None and kept.admission is Admission.ALLOWED:
                return kept
        active = await places.of(principal, ask.client, principal.organization_id) or ALONE
        if active.admission is Admission.DENIED:
            raise Refused(ErrorCode.ACCESS_DENIED, "the organization does not let the application in")
        return active

    async def _confirm(self, ask: Ask, principal: Principal, place: Workplace) -> datetime | None:
        """Keep all on which the grant stands as it is; return when the person is signed in no more at the latest."""
        places = Workplaces(self._runtime)
        await places.confirm(ask.unit, principal, ask.client, place.organization_id)
        return await Grants(self._runtime, ask.unit).hold_person(principal.id, principal.session_id)

    async def _confirm_consent(self, ask: Ask, principal: Principal, place: Workplace) -> None:
        """Make sure inside the open transaction that the person need not be asked; he is held, and takes nothing back.

        Raises:
            Refused: consent_required; he has just disconnected the client.
        """
        given = await Consents(self._runtime, ask.unit).find_given(principal.id, ask.client)
        if _must_ask(ask, given, place):
            raise Refused(ErrorCode.CONSENT_REQUIRED, "the person has to be asked")

    async def _prepare(self, ask: Ask) -> None:
        """See to it that there is a key for the ID token, before a transaction is open; there nearly always is."""
        if ask.wants_openid:
            await ensure_keys(self._runtime, [purpose_of(ask.client)])

    async def _answered(
        self, ask: Ask, principal: Principal, place: Workplace, until: datetime | None
    ) -> Answer:
        """Write the grant with its code in the open transaction, and return what goes back."""
        if ask.pushed_id is not None:
            requests = RequestRepository(ask.unit.session)
            if not await requests.spend(ask.pushed_id, ask.now):
                raise Refused(ErrorCode.INVALID_REQUEST_URI, "request_uri is good no more")
        code, is_offline = CODES.make(self._runtime.entropy), "offline_access" in ask.scopes
        new = NewGrant(
            client=ask.client,
            kind=GrantType.AUTHORIZATION_CODE,
            scope=" ".join(ask.scopes),
            user_id=principal.id,
            organization_id=place.organization_id,
            session_id=principal.session_id,
            is_offline=is_offline,
            resources=ask.resource_ids,
            details=ask.details,
            context=context_of(ask, principal),
            sender=ask.sender,
            redirect_uri=ask.redirect_uri if ask.names_redirect else None,
            challenge=ask.challenge,
            expires_at=until if ask.wants_openid and not is_offline else None,
        )
        await Grants(self._runtime, ask.unit).give(new, code=code)
        return answer(ask, {"code": code})


def _must_ask(ask: Ask, given: OAuthConsent | None, place: Workplace) -> bool:
    """Tell whether the person must be asked: for consent, or because the client cannot work where he let it."""
    if is_needed(_wish(ask), given) or place.admission is not Admission.ALLOWED:
        return True
    return given is not None and given.organization_id != place.organization_id


def _wish(ask: Ask) -> ConsentWish:
    return ConsentWish(
        client=ask.client,
        scopes=asked_scopes(ask),
        resources=tuple(ask.resource_ids),
        details=ask.details,
        redirect_uri=ask.redirect_uri or "",
        is_forced=bool(ask.prompts & {"consent", "select_account"}),
    )


def asked_scopes(ask: Ask) -> tuple[str, ...]:
    """Return the scopes that the person is asked about: those of the request, and those of its single claims."""
    return tuple(dict.fromkeys([*ask.scopes, *scopes_asked_by_claims(ask.claims)]))
