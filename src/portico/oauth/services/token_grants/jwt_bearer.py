"""Somebody else's signed word for a token (RFC 7523, section 2.1; row 30.11).

    workload     a platform says which program asks; the token is that of the client for which the program stands
    enterprise   an identity provider lets a client act for one of its people (ID-JAG); the token is the person's

No refresh token is given: whoever signed is asked again.
"""

from uuid import UUID

from portico.core.crypto import b64encode, digest
from portico.oauth.pipeline.asks import Ask, Once
from portico.oauth.pipeline.checks.targets import resources_are_known, scopes_are_known
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc7523_client_assertions import AuthorizationGrant
from portico.oauth.protocol.rfc8707_resource_indicators import narrow_resources
from portico.oauth.protocol.scopes import narrow_scope, read_scope
from portico.oauth.repositories import RuleRepository
from portico.oauth.repositories.enterprise_people import EnterprisePeopleRepository
from portico.oauth.services.access_tokens import AccessTokenMint, TokenFacts
from portico.oauth.services.grants import Grants, NewGrant
from portico.oauth.services.once import spend
from portico.oauth.services.subjects import subject_of
from portico.oauth.services.token_grants.answers import TokenAnswer, check_is_bound
from portico.oauth.services.trusted_issuers import TrustedIssuers
from portico.oauth.services.workplaces import admission_of
from portico.oauth.settings import IssuerKind
from portico.oauth.types import Admission, GrantType
from portico.users.addresses import find_normal_form

NOT_HERE = frozenset({"openid", "offline_access"})
"""Scopes that belong to a sign-in here; there was none."""
KIND = "grant"


async def exchange_assertion(ask: Ask) -> TokenAnswer:
    """Return a token for what a trusted issuer signed; on the trail as a grant.

    Raises:
        Refused: unsupported_grant_type where nobody is trusted; invalid_grant, invalid_scope, invalid_target.
    """
    issuers, text = ask.runtime.get(TrustedIssuers), ask.given.one("assertion")
    if not issuers.is_on:
        raise Refused(ErrorCode.UNSUPPORTED_GRANT_TYPE, "nobody is trusted to vouch for others here")
    if text is None:
        raise Refused(ErrorCode.INVALID_REQUEST, "assertion is missing")
    vouched = ask.vouched or await issuers.read(text, now=ask.now, client_id=ask.client.client_id)
    issuer = issuers.issuer_of(vouched)
    if issuer.kind is IssuerKind.WORKLOAD and issuers.client_of(vouched) != ask.client.client_id:
        raise Refused(ErrorCode.INVALID_GRANT, "the assertion speaks for another client", vouched.subject)
    await _narrow(ask, vouched)
    if not issuer.is_reusable:
        ask.once.append(_once(vouched, text))
    async with ask.unit:
        await spend(ask.unit, ask.once)
        user_id = None
        if issuer.organization_id is not None:
            user_id = await _person(ask, vouched, issuer.organization_id)
        return await _granted(ask, user_id, issuer.organization_id or ask.client.organization_id)


def _once(vouched: AuthorizationGrant, text: str) -> Once:
    """Return what is noted; a token without an id is known by itself."""
    jti = vouched.jti or b64encode(digest(text))
    return Once(KIND, vouched.issuer, jti, vouched.remember_until, ErrorCode.INVALID_GRANT)


async def _narrow(ask: Ask, vouched: AuthorizationGrant) -> None:
    """What the issuer named bounds what the client asks for; then both are checked like any others.

    Raises:
        Refused: invalid_scope, invalid_target.
    """
    if vouched.resources:
        chosen = narrow_resources(ask.given.many("resource"), vouched.resources)
        ask.given = ask.given.merged({"resource": chosen})
    if vouched.scope is not None:
        allowed = read_scope(vouched.scope)
        scopes = narrow_scope(read_scope(ask.given.one("scope") or ""), allowed)
        ask.given = ask.given.merged({"scope": " ".join(scopes)})
    await resources_are_known(ask)
    await scopes_are_known(ask)
    if len(ask.resources) > 1:
        raise Refused(ErrorCode.INVALID_TARGET, "a token is for one resource: name it")
    for resource in ask.resources:
        check_is_bound(ask, resource)
    ask.scopes = tuple(scope for scope in ask.scopes if scope not in NOT_HERE)
    if not ask.scopes:
        raise Refused(ErrorCode.INVALID_SCOPE, "name what the token is for")


async def _person(ask: Ask, vouched: AuthorizationGrant, organization_id: UUID) -> UUID:
    """Return the member of whom the identity provider speaks, if the organization lets the client in.

    An identity provider speaks for addresses in its organization's own domains and for no others, and an address that
    somebody merely claims to have is nobody's.

    Raises:
        Refused: invalid_grant, access_denied.
    """
    rules = RuleRepository(ask.unit.session)
    await rules.hold_still(organization_id)
    address = _address_of(vouched)
    member = None
    if address is not None:
        people = EnterprisePeopleRepository(ask.unit.session)
        member = await people.find_member(organization_id, address)
    if member is None:
        raise Refused(ErrorCode.INVALID_GRANT, "the person is not known here", vouched.subject)
    place = await rules.find_workplace(organization_id, ask.client.key)
    if place is None or admission_of(ask.client, place) is not Admission.ALLOWED:
        raise Refused(ErrorCode.ACCESS_DENIED, "the organization does not let the application in")
    await Grants(ask.runtime, ask.unit).hold_person(member)
    return member


def _address_of(vouched: AuthorizationGrant) -> str | None:
    claimed = vouched.claims.get("email", vouched.subject)
    if not isinstance(claimed, str) or vouched.claims.get("email_verified", True) is not True:
        return None
    return find_normal_form(claimed)


async def _granted(ask: Ask, user_id: UUID | None, organization_id: UUID | None) -> TokenAnswer:
    scope = " ".join(ask.scopes)
    grant_id = await Grants(ask.runtime, ask.unit).give(
        NewGrant(
            client=ask.client,
            kind=GrantType.JWT_BEARER,
            scope=scope,
            user_id=user_id,
            organization_id=organization_id,
            is_offline=True,
            resources=ask.resource_ids,
            sender=ask.sender,
        )
    )
    subject = ask.client.client_id
    if user_id is not None:
        subject = subject_of(ask.runtime, ask.client, user_id)
    facts = TokenFacts(
        subject=subject,
        scope=scope,
        resource=ask.resources[0] if ask.resources else None,
        grant_id=grant_id,
        organization_id=organization_id,
        sender=ask.sender,
    )
    access = await AccessTokenMint(ask.runtime, ask.unit).mint(ask.client, facts)
    return TokenAnswer(access=access, scope=scope)
