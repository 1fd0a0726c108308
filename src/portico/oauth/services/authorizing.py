"""The authorization endpoint's use case: from a checked request to a code, a question, or a refusal.

What a person has to answer first (sign in, consent) makes the request wait in the database under a ticket, so that
pages carry one short secret instead of the request, and the answer is given to the very request that was asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from portico.audit.services import record
from portico.audit.types import Outcome
from portico.core.ids import new_id
from portico.http.authentication import CredentialKind, Principal, PrincipalKind
from portico.keys.services import ensure_keys
from portico.oauth.errors import OAuthRefusal
from portico.oauth.models import OAuthConsent
from portico.oauth.pipeline.asks import Ask, Endpoint, Transport
from portico.oauth.pipeline.checks.requests import is_trusted
from portico.oauth.pipeline.parameters import SIGNED, Parameters
from portico.oauth.pipeline.table import check
from portico.oauth.protocol.oidc_claims import scopes_asked_by_claims
from portico.oauth.protocol.redirect_uris import is_loopback
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.repositories import FoundRequest, RequestRepository
from portico.oauth.services.consents import Consents, ConsentWish, is_needed
from portico.oauth.services.grants import Grants, NewGrant
from portico.oauth.services.id_tokens import purpose_of
from portico.oauth.services.organization_rules import OrganizationRules
from portico.oauth.services.subjects import subject_of
from portico.oauth.services.workplaces import ALONE, Workplace, Workplaces
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import CODES, REQUESTS, Admission, GrantType, RequestKind
from portico.runtime import Runtime
from portico.tokens.secret_format import NotASecret

PUSHED = ":pushed"
JUST_NOW = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back to the client by the browser; `iss` stands in every answer (RFC 9207, section 2)."""

    redirect_uri: str
    response_mode: str
    parameters: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignInNeeded:
    """Somebody must sign in, or once more; the request waits under the ticket."""

    ticket: str = field(repr=False)
    again: bool = False
    is_new: bool = False
    """The client takes the visitor for somebody who has no account yet (`prompt=create`)."""
    login_hint: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ConsentNeeded:
    """The person must be asked; the request waits under the ticket."""

    ticket: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the page of consent shows: the request, and where the client may work."""

    ask: Ask
    ticket: str = field(repr=False)
    places: Sequence[Workplace]
    chosen: Workplace

    def place_of(self, organization_id: UUID | None) -> Workplace | None:
        """Return the offered place in this organization; None if it is not offered."""
        return next((each for each in self.places if each.organization_id == organization_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalNeeded:
    """An administrator of the organization was asked to let the client in; the request still waits."""

    question: Question
    place: Workplace


@dataclass(frozen=True, slots=True)
class Choice:
    """Where the person wants the client to work: in an organization, or without one."""

    organization_id: UUID | None


type Decision = Answer | SignInNeeded | ConsentNeeded


class TicketInvalid(Refused):
    """The request waits no longer: it took too long, or was answered already."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.INVALID_REQUEST, "this request is over: begin again in the application")


class NotSentBack(Exception):
    """A refusal that is shown to the visitor and sent nowhere.

    `goes_to` is where it would go, if the visitor wants that: for clients that nobody vouches for (row 1.21). `is_over`
    says that nothing is wrong with the request but that it waits no longer.
    """

    def __init__(
        self, refusal: OAuthRefusal, goes_to: Answer | None = None, *, is_over: bool = False
    ) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal
        self.goes_to = goes_to
        self.is_over = is_over

    @classmethod
    def of(cls, refused: Refused | OAuthRefusal) -> Self:
        """Return a refusal of the checks as one that stays here."""
        return cls(_as_refusal(refused), is_over=isinstance(refused, TicketInvalid))


class Authorizing:
    """Takes authorization requests."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def begin(self, given: Parameters, principal: Principal | None, transport: Transport) -> Decision:
        """Take a request as it arrives; it is answered, or waits for the person.

        Raises:
            NotSentBack: it is refused, and the client must not or need not hear of it.
        """
        ask = self._ask(given, principal, transport)
        return await self._checked(ask)

    async def resume(self, ticket: str, principal: Principal | None, transport: Transport) -> Decision:
        """Take a request up again that waited for a sign-in.

        Raises:
            NotSentBack: as `begin`; also where it waits no longer.
        """
        ask = await self._parked(ticket, principal, transport)
        return await self._checked(ask, ticket)

    async def question(
        self, ticket: str, principal: Principal, transport: Transport
    ) -> Question | SignInNeeded:
        """Return what the person is to be asked, if he need not sign in once more before.

        Raises:
            NotSentBack: as `resume`.
        """
        ask = await self._parked(ticket, principal, transport)
        try:
            await check(ask)
            if _sign_in_fault(ask) is not None:
                return SignInNeeded(ticket, again=True)
            _check_strength(ask, principal)
            given = await Consents(self._runtime, ask.unit).find_given(principal.id, ask.client)
            chosen = await self._place(ask, principal, given)
        except (Refused, OAuthRefusal) as refused:
            raise NotSentBack.of(refused) from None
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
        ask = await self._parked(ticket, principal, transport)
        try:
            await check(ask)
        except (Refused, OAuthRefusal) as refused:
            raise NotSentBack.of(refused) from None
        async with ask.unit:
            await self._spend_ticket(ask, ticket)
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
        return self._refused(ask, ErrorCode.ACCESS_DENIED, "the person said no")

    def _ask(self, given: Parameters, principal: Principal | None, transport: Transport) -> Ask:
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
            principal=principal if principal is not None and _is_person(principal) else None,
        )

    async def _checked(self, ask: Ask, ticket: str | None = None) -> Decision:
        try:
            await check(ask)
            return await self._decided(ask, ticket)
        except (Refused, OAuthRefusal) as refused:
            return self._sent_back(ask, _as_refusal(refused))

    async def _decided(self, ask: Ask, ticket: str | None) -> Decision:
        fault = _sign_in_fault(ask)
        if fault is not None:
            if "none" in ask.prompts:
                raise Refused(ErrorCode.LOGIN_REQUIRED, fault)
            return await self._sign_in_needed(ask, ticket)
        principal = ask.principal
        if principal is None:
            raise RuntimeError("nobody is signed in, and nobody was asked to")
        _check_strength(ask, principal)
        given = await Consents(self._runtime, ask.unit).find_given(principal.id, ask.client)
        place = await self._place(ask, principal, given)
        if _must_ask(ask, given, place):
            if "none" in ask.prompts:
                raise Refused(ErrorCode.CONSENT_REQUIRED, "the person has to be asked")
            return ConsentNeeded(ticket or await self._park(ask))
        await self._prepare(ask)
        async with ask.unit:
            await self._confirm(ask, principal, place)
            if ticket is not None:
                await self._spend_ticket(ask, ticket)
            return await self._answered(ask, principal, place)

    async def _approved(self, ask: Ask, ticket: str, principal: Principal, place: Workplace) -> Answer:
        await self._prepare(ask)
        async with ask.unit:
            await self._confirm(ask, principal, place)
            await self._spend_ticket(ask, ticket)
            consents = Consents(self._runtime, ask.unit)
            await consents.give(principal, _wish(ask), place.organization_id)
            return await self._answered(ask, principal, place)

    async def _sign_in_needed(self, ask: Ask, ticket: str | None) -> SignInNeeded:
        return SignInNeeded(
            ticket or await self._park(ask),
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

    async def _confirm(self, ask: Ask, principal: Principal, place: Workplace) -> None:
        places = Workplaces(self._runtime)
        await places.confirm(ask.unit, principal, ask.client, place.organization_id)

    async def _prepare(self, ask: Ask) -> None:
        """See to it that there is a key for the ID token, before a transaction is open; there nearly always is."""
        if ask.wants_openid:
            await ensure_keys(self._runtime, [purpose_of(ask.client)])

    async def _answered(self, ask: Ask, principal: Principal, place: Workplace) -> Answer:
        """Write the grant with its code in the open transaction, and return what goes back."""
        if ask.pushed_id is not None:
            requests = RequestRepository(ask.unit.session)
            if not await requests.spend(ask.pushed_id, ask.now):
                raise Refused(ErrorCode.INVALID_REQUEST_URI, "request_uri is good no more")
        code = CODES.make(self._runtime.entropy)
        new = NewGrant(
            client=ask.client,
            kind=GrantType.AUTHORIZATION_CODE,
            scope=" ".join(ask.scopes),
            user_id=principal.id,
            organization_id=place.organization_id,
            session_id=principal.session_id,
            is_offline="offline_access" in ask.scopes,
            resources=ask.resource_ids,
            details=ask.details,
            context=context_of(ask, principal),
            sender=ask.sender,
            redirect_uri=ask.redirect_uri if ask.names_redirect else None,
            challenge=ask.challenge,
        )
        await Grants(self._runtime, ask.unit).give(new, code=code)
        return self._answer(ask, {"code": code})

    async def _park(self, ask: Ask) -> str:
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

    async def _parked(self, ticket: str, principal: Principal | None, transport: Transport) -> Ask:
        found = await self._find(ticket)
        if found is None or found.spent_at is not None or found.expires_at <= self._runtime.clock.now():
            raise NotSentBack.of(TicketInvalid())
        given = Parameters(found.parameters)
        ask = self._ask(given.without(PUSHED, SIGNED), principal, transport)
        ask.asked_at = found.created_at
        ask.is_signed = given.has(SIGNED)
        pushed = given.one(PUSHED)
        ask.is_pushed, ask.pushed_id = pushed is not None, UUID(pushed) if pushed is not None else None
        if found.jkt is not None and not ask.given.has("dpop_jkt"):
            ask.given = ask.given.merged({"dpop_jkt": found.jkt})
        return ask

    async def _find(self, ticket: str) -> FoundRequest | None:
        try:
            secret_hash = REQUESTS.hash_of(ticket)
        except NotASecret:
            return None
        async with self._runtime.reads() as session:
            found = await RequestRepository(session).find(secret_hash)
        return found if found is not None and found.kind is RequestKind.PARKED else None

    async def _spend_ticket(self, ask: Ask, ticket: str) -> None:
        requests = RequestRepository(ask.unit.session)
        found = await requests.find(REQUESTS.hash_of(ticket))
        if found is None or not await requests.spend(found.id, ask.now):
            raise TicketInvalid

    def _sent_back(self, ask: Ask, refusal: OAuthRefusal) -> Answer:
        """Return the refusal as an answer to the client.

        Raises:
            NotSentBack: the redirect is not known to be the client's, or nobody who is signed in and nobody who
                vouches for the client stands behind it: then we would lead anybody anywhere (RFC 9700, 4.11.2).
        """
        if ask.redirect_uri is None:
            raise NotSentBack(refusal)
        answer = self._refused(ask, refusal.error, refusal.detail)
        if ask.principal is None and "none" not in ask.prompts and not _may_lead_to(ask):
            raise NotSentBack(refusal, answer)
        return answer

    def _refused(self, ask: Ask, error: ErrorCode, description: str) -> Answer:
        return self._answer(ask, {"error": error.value, "error_description": description})

    def _answer(self, ask: Ask, parameters: Mapping[str, str]) -> Answer:
        if ask.redirect_uri is None:
            raise RuntimeError("an answer needs a place to go to")
        back = {"state": ask.state} if ask.state is not None else {}
        return Answer(
            redirect_uri=ask.redirect_uri,
            response_mode=ask.response_mode,
            parameters={**parameters, **back, "iss": self._runtime.settings.public_url},
        )


def context_of(ask: Ask, principal: Principal) -> dict[str, Any]:
    """Return what ID tokens and userinfo will repeat of this authorization."""
    context: dict[str, Any] = {"acr": f"aal{principal.aal}", "amr": list(principal.amr)}
    if principal.auth_time is not None:
        context["auth_time"] = int(principal.auth_time.timestamp())
    if (nonce := ask.given.one("nonce")) is not None:
        context["nonce"] = nonce
    if ask.claims.userinfo or ask.claims.id_token:
        context["claims"] = ask.claims.as_document()
    return context


def _is_person(principal: Principal) -> bool:
    """Tell whether it is a person at his own browser."""
    return principal.kind is PrincipalKind.USER and principal.credential is CredentialKind.COOKIE


def _sign_in_fault(ask: Ask) -> str | None:
    """Return why the person must sign in, or once more; None if he need not (OpenID Connect Core 1.0, 3.1.2.3)."""
    principal = ask.principal
    if principal is None or principal.auth_time is None:
        return "nobody is signed in"
    if not _is_hinted(ask, principal):
        return "somebody else is signed in"
    since = ask.asked_at - JUST_NOW if ask.asked_at is not None else None
    if "login" in ask.prompts and not _is_after(principal.auth_time, since):
        return "the person must sign in again"
    is_fresh = _is_after(principal.auth_time, since)
    if (
        ask.max_age is not None
        and not is_fresh
        and ask.now - principal.auth_time >= timedelta(seconds=ask.max_age)
    ):
        return "the sign-in is too old"
    return None


def _check_strength(ask: Ask, principal: Principal) -> None:
    """Refuse a sign-in that is weaker than the client insists on (OpenID Connect Core 1.0, section 5.5.1.1).

    Raises:
        Refused: unmet_authentication_requirements.
    """
    acrs = ask.claims.essential_acrs
    if acrs and f"aal{principal.aal}" not in acrs:
        raise Refused(
            ErrorCode.UNMET_AUTHENTICATION_REQUIREMENTS, "the sign-in is not as strong as asked for"
        )


def _must_ask(ask: Ask, given: OAuthConsent | None, place: Workplace) -> bool:
    """Tell whether the person must be asked: for consent, or because the client cannot work where he let it."""
    if is_needed(_wish(ask), given) or place.admission is not Admission.ALLOWED:
        return True
    return given is not None and given.organization_id != place.organization_id


def _is_after(auth_time: datetime, since: datetime | None) -> bool:
    return since is not None and auth_time >= since


def _is_hinted(ask: Ask, principal: Principal) -> bool:
    subject = subject_of(ask.runtime, ask.client, principal.id)
    wanted = set(ask.claims.subjects)
    if ask.hinted_user is not None:
        wanted.add(ask.hinted_user)
    return wanted <= {subject}


def _may_lead_to(ask: Ask) -> bool:
    return is_trusted(ask) or is_loopback(ask.redirect_uri or "")


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


def _as_refusal(refused: Refused | OAuthRefusal) -> OAuthRefusal:
    return refused if isinstance(refused, OAuthRefusal) else OAuthRefusal.of(refused)
