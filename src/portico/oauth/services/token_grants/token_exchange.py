"""One token for another, for another API or for less (RFC 8693; row 17.1).

What comes out is never more than what went in: the same person, a part of the scopes, no later an end. It is a grant of
its own below that of the token that went in, and ends with it.

    which token may be shown   the client's own, and those that were made for the API that the client is
    for which API              the token's own, and those of the client's policy (`exchanges_to`)
    with which scopes          those of the token; for another API also what the same grant gives there
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from portico.keys.errors import TokenRejected
from portico.oauth.pipeline.asks import Ask
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc8693_token_exchange import (
    ACCESS_TOKEN,
    JWT,
    ExchangeRequest,
    act_claim,
    check_may_act,
    read_exchange,
)
from portico.oauth.protocol.rfc8707_resource_indicators import normal_form
from portico.oauth.protocol.rfc9396_authorization_details import narrow_details, read_details
from portico.oauth.protocol.scopes import narrow_scope, read_scope
from portico.oauth.repositories import FoundGrant, GrantRepository
from portico.oauth.services.access_tokens import AccessTokenMint, MintedToken, TokenFacts
from portico.oauth.services.details import DetailsBook
from portico.oauth.services.grants import MAX_GENERATIONS, Grants, NewGrant
from portico.oauth.services.introspecting import concerns
from portico.oauth.services.once import spend
from portico.oauth.services.presented_tokens import PresentedToken, PresentedTokens, TokenEnded
from portico.oauth.services.resources import IDENTITY_SCOPES, Resource, ResourceBook
from portico.oauth.services.subjects import subject_of
from portico.oauth.services.token_grants.answers import TokenAnswer, check_is_bound
from portico.oauth.types import OPAQUE_TOKENS, GrantType

REPEATED = ("acr", "amr", "auth_time")
"""What the new token repeats of how the person signed in."""
GENERATION = "generation"
"""Under which a grant remembers how many stand above it."""
NAMES = ("subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What comes out: for which API, with which scopes and details, in whose name and by whom."""

    subject: PresentedToken
    resource: Resource | None
    scopes: tuple[str, ...]
    details: tuple[dict[str, Any], ...]
    act: Mapping[str, Any] | None

    @property
    def scope(self) -> str:
        """Return the scopes as the wire carries them."""
        return " ".join(self.scopes)

    @property
    def parent_id(self) -> UUID | None:
        """Return the grant of the token that went in; one of a client's own has none."""
        grant_id = self.subject.claims.get("grant_id")
        return UUID(grant_id) if grant_id is not None else None

    @property
    def context(self) -> dict[str, Any]:
        """Return what the new grant keeps."""
        kept = {name: self.subject.claims[name] for name in REPEATED if name in self.subject.claims}
        kept[GENERATION] = _generation_of(self.subject)
        return {**kept, "act": dict(self.act)} if self.act is not None else kept


async def exchange_token(ask: Ask) -> TokenAnswer:
    """Return a token for the one that was shown; on the trail as a grant.

    Raises:
        Refused: invalid_request for a token that is not good or not the client's to show (section 2.2.2),
            invalid_target, invalid_scope, invalid_authorization_details.
    """
    request = read_exchange(
        {name: value for name in NAMES if (value := ask.given.one(name)) is not None},
        resources=ask.given.many("resource"),
        audiences=ask.given.many("audience"),
    )
    subject = await _read(ask, request.subject_token)
    await _check_subject(ask, subject)
    actor = await _actor(ask, request)
    resource = await _target(ask, request, subject)
    exchange = Exchange(
        subject=subject,
        resource=resource,
        scopes=await _scopes(ask, subject, resource),
        details=_details(ask, subject, resource),
        act=_act(ask, subject, actor),
    )
    return await _exchanged(ask, request, exchange)


async def _read(ask: Ask, token: str) -> PresentedToken:
    """Return a token of ours that is good now; others' and those of our own sign-in are none (section 2.1)."""
    try:
        return await PresentedTokens(ask.runtime).read(token)
    except (TokenRejected, TokenEnded) as error:
        raise _refused("the token is not good", repr(error)) from None


async def _check_subject(ask: Ask, subject: PresentedToken) -> None:
    """The client shows its own tokens, or those that were made for it, with the key that they are bound to.

    A client of an organization shows only what works in that organization.
    """
    claims = subject.claims
    if not await concerns(ask, claims):
        raise _refused("the token is not this client's to exchange")
    tenant = ask.client.organization_id
    if tenant is not None and claims.get("org_id", str(subject.client.organization_id)) != str(tenant):
        raise _refused("the token is not this client's to exchange", "another organization's")
    if not _is_held(ask, claims.get("cnf", {})):
        raise _refused("the token is bound to a key: show it")
    if _generation_of(subject) > MAX_GENERATIONS:
        raise _refused("the token was exchanged too often")


def _is_held(ask: Ask, bound: Mapping[str, str]) -> bool:
    """Tell whether the request shows the key of a bound token (RFC 9449, section 7; RFC 8705, section 3)."""
    jkt, x5t = bound.get("jkt"), bound.get("x5t#S256")
    return jkt in {None, ask.sender.jkt} and x5t in {None, ask.sender.x5t}


def _generation_of(subject: PresentedToken) -> int:
    """Return how many grants would stand above one that comes of this token."""
    return int(subject.context.get(GENERATION, 0)) + 1


async def _actor(ask: Ask, request: ExchangeRequest) -> Mapping[str, Any] | None:
    """Return the claims of whoever acts: of his token, or else the client itself (sections 1.1 and 4.1)."""
    if request.actor_token is None:
        return None
    actor = await _read(ask, request.actor_token)
    if actor.client.key != ask.client.key:
        raise _refused("the actor's token is not this client's")
    return actor.claims


def _act(ask: Ask, subject: PresentedToken, actor: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return who acts. Nobody new does, where a client narrows its own token."""
    is_own = subject.client.key == ask.client.key
    itself = {"sub": ask.client.client_id, "client_id": ask.client.client_id}
    acting = actor if actor is not None else {**itself, "iss": ask.runtime.settings.public_url}
    if actor is not None or not is_own:
        check_may_act(subject.claims, acting)
        return act_claim(subject.claims, acting if actor is not None else itself)
    return subject.claims.get("act")


async def _target(ask: Ask, request: ExchangeRequest, subject: PresentedToken) -> Resource | None:
    """Return the API for which the new token is; that of the old one where none is named.

    `audience` names it by the same address as `resource` does.
    """
    book = ask.runtime.get(ResourceBook)
    before = subject.claims["aud"]
    if len(request.targets) > 1:
        raise Refused(ErrorCode.INVALID_TARGET, "a token is for one API: name it")
    target = request.targets[0] if request.targets else before
    if target == ask.runtime.settings.public_url == before:
        return None
    resource = await book.find(target)
    allowed = {normal_form(each) for each in (before, *ask.client.policy.exchanges_to)}
    if resource is None or normal_form(resource.identifier) not in allowed:
        raise Refused(
            ErrorCode.INVALID_TARGET, "tokens are not exchanged for this by this client", target[:200]
        )
    check_is_bound(ask, resource)
    return resource


async def _scopes(ask: Ask, subject: PresentedToken, resource: Resource | None) -> tuple[str, ...]:
    had = [*subject.scopes, *await _granted_besides(ask, subject, resource)]
    known = resource.scopes if resource is not None else IDENTITY_SCOPES
    usable = tuple(dict.fromkeys(scope for scope in had if scope in known and scope != "offline_access"))
    asked = ask.given.one("scope")
    scopes = narrow_scope(read_scope(asked), usable) if asked is not None else usable
    if not scopes:
        raise Refused(ErrorCode.INVALID_SCOPE, "nothing of what the token is good for can be had there")
    return scopes


async def _granted_besides(ask: Ask, subject: PresentedToken, resource: Resource | None) -> list[str]:
    """Return what the same grant gives for another API; for its own the token says what was asked for."""
    grant_id = subject.claims.get("grant_id")
    if resource is None or grant_id is None or resource.identifier == subject.claims["aud"]:
        return []
    async with ask.runtime.reads() as session:
        grant: FoundGrant | None = await GrantRepository(session).find(UUID(grant_id))
    if grant is None or resource.identifier not in grant.resources:
        return []
    return grant.scope.split()


def _details(ask: Ask, subject: PresentedToken, resource: Resource | None) -> tuple[dict[str, Any], ...]:
    """Return the authorization details of the new token: the old one's or less, at the same API only."""
    is_same = resource is None or resource.identifier == subject.claims["aud"]
    had = subject.claims.get("authorization_details", []) if is_same else []
    text = ask.given.one("authorization_details")
    if text is None:
        return tuple(had)
    return narrow_details(read_details(text, ask.runtime.get(DetailsBook).types), had)


async def _exchanged(ask: Ask, request: ExchangeRequest, exchange: Exchange) -> TokenAnswer:
    async with ask.unit:
        await spend(ask.unit, ask.once)
        parent_id = exchange.parent_id
        if parent_id is not None and await GrantRepository(ask.unit.session).hold(parent_id) is None:
            raise _refused("the token is not good", "its grant has just ended")
        grant_id = await Grants(ask.runtime, ask.unit).give(_grant(ask, exchange))
        facts = _facts(ask, exchange, grant_id)
        access = await AccessTokenMint(ask.runtime, ask.unit).mint(ask.client, facts)
    return TokenAnswer(
        access=access,
        scope=exchange.scope,
        details=exchange.details,
        issued_token_type=_issued_type(request, access),
    )


def _grant(ask: Ask, exchange: Exchange) -> NewGrant:
    return NewGrant(
        client=ask.client,
        kind=GrantType.TOKEN_EXCHANGE,
        scope=exchange.scope,
        user_id=exchange.subject.user_id,
        organization_id=_organization_of(exchange.subject),
        parent_id=exchange.parent_id,
        is_offline=True,
        resources=(exchange.resource.identifier,) if exchange.resource is not None else (),
        details=exchange.details,
        context=exchange.context,
        sender=ask.sender,
    )


def _facts(ask: Ask, exchange: Exchange, grant_id: UUID) -> TokenFacts:
    return TokenFacts(
        subject=_subject_of(ask, exchange.subject),
        scope=exchange.scope,
        resource=exchange.resource,
        grant_id=grant_id,
        organization_id=_organization_of(exchange.subject),
        details=exchange.details,
        context=exchange.context,
        sender=ask.sender,
        expires_by=exchange.subject.claims["exp"],
    )


def _issued_type(request: ExchangeRequest, access: MintedToken) -> str:
    """Return what was made; a JWT is called one where that was asked for (section 3)."""
    is_jwt = not str(access.text).startswith(OPAQUE_TOKENS.prefix)
    return JWT if request.requested_token_type == JWT and is_jwt else ACCESS_TOKEN


def _subject_of(ask: Ask, subject: PresentedToken) -> str:
    """Return whom the token speaks of, under the name by which this client knows him."""
    if subject.user_id is None:
        return str(subject.claims["sub"])
    return subject_of(ask.runtime, ask.client, subject.user_id)


def _organization_of(subject: PresentedToken) -> UUID | None:
    org_id = subject.claims.get("org_id")
    return UUID(org_id) if org_id is not None else None


def _refused(why: str, detail: str = "") -> Refused:
    return Refused(ErrorCode.INVALID_REQUEST, why, detail)
