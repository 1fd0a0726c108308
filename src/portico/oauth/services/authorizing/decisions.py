"""What becomes of an authorization request: an answer, a question, or a refusal that stays here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from portico.oauth.errors import OAuthRefusal
from portico.oauth.pipeline.asks import Ask
from portico.oauth.pipeline.checks.requests import is_trusted
from portico.oauth.protocol.redirect_uris import is_loopback
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.services.signed_responses import signed_response
from portico.oauth.services.workplaces import Workplace


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back to the client by the browser; `iss` stands in every answer (RFC 9207, section 2).

    `carrier` is `query` or `form_post`; the one parameter of a signed answer is `response`.
    """

    redirect_uri: str
    carrier: str
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
        return cls(as_refusal(refused), is_over=isinstance(refused, TicketInvalid))


def answer(ask: Ask, parameters: Mapping[str, str]) -> Answer:
    """Return what goes back to the client, with its state and our name; signed if it asked for that (row 22.1)."""
    if ask.redirect_uri is None:
        raise RuntimeError("an answer needs a place to go to")
    back = {"state": ask.state} if ask.state is not None else {}
    said = {**parameters, **back, "iss": ask.runtime.settings.public_url}
    if ask.response_mode.is_signed:
        said = {"response": signed_response(ask, said)}
    return Answer(redirect_uri=ask.redirect_uri, carrier=ask.response_mode.carrier, parameters=said)


def refused(ask: Ask, error: ErrorCode, description: str) -> Answer:
    """Return a refusal as it goes back to the client."""
    return answer(ask, {"error": error.value, "error_description": description})


def sent_back(ask: Ask, refusal: OAuthRefusal) -> Answer:
    """Return the refusal as an answer to the client.

    Raises:
        NotSentBack: the redirect is not known to be the client's, or nobody who is signed in and nobody who
            vouches for the client stands behind it: then we would lead anybody anywhere (RFC 9700, 4.11.2).
    """
    if ask.redirect_uri is None:
        raise NotSentBack(refusal)
    back = refused(ask, refusal.error, refusal.detail)
    if ask.principal is None and "none" not in ask.prompts and not _may_lead_to(ask):
        raise NotSentBack(refusal, back)
    return back


def _may_lead_to(ask: Ask) -> bool:
    return is_trusted(ask) or is_loopback(ask.redirect_uri or "")


def as_refusal(refused: Refused | OAuthRefusal) -> OAuthRefusal:
    """Return what a check refused as an answer has it."""
    return refused if isinstance(refused, OAuthRefusal) else OAuthRefusal.of(refused)
