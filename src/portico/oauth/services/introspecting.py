"""What a token is worth, told to whom it may concern (RFC 7662; RFC 9701).

    access token     its client; who is listed at its resource; who may ask for tokens of its resource only
    refresh token    its client
    our own sign-in  who may ask about tokens of our API

Whoever else asks hears what is said of a token that does not exist: `{"active": false}` and nothing more.
"""

from collections.abc import Mapping
from typing import Any

from portico.keys.errors import TokenRejected
from portico.keys.services import Keyring, ensure_keys
from portico.oauth.pipeline.asks import Ask
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc8707_resource_indicators import normal_form
from portico.oauth.repositories.standings import StandingRepository
from portico.oauth.services.id_tokens import signing_purpose
from portico.oauth.services.once import spend
from portico.oauth.services.presented_tokens import BelievedTokens, PresentedTokens, TokenEnded
from portico.oauth.services.resources import API_PATH, ResourceBook
from portico.oauth.services.subjects import subject_of
from portico.sessions.errors import SessionEnded
from portico.sessions.services.access_tokens import FIRST_PARTY, AccessTokens
from portico.tokens.errors import RefreshTokenInvalid
from portico.tokens.refresh_format import PREFIX as REFRESH_PREFIX
from portico.tokens.services import TokenFamilies

JWT_MEDIA_TYPE = "application/token-introspection+jwt"
JWT_TYPE = "token-introspection+jwt"
INACTIVE: Mapping[str, Any] = {"active": False}
SAID = (
    "scope", "client_id", "sub", "aud", "iss", "exp", "iat", "jti", "sid", "org_id", "auth_time", "acr", "amr", "act",
    "may_act", "authorization_details", "cnf",
)  # fmt: skip
"""Claims that are repeated, where the token has them (RFC 7662, section 2.2; RFC 8693, 7; RFC 9396, 9.2; RFC 9470)."""


async def introspect(ask: Ask) -> Mapping[str, Any]:
    """Return what the token of the request is worth to the client that asks (rows 10.1, 20.1).

    `token_type_hint` is not read: the token itself tells what it is (RFC 7662, section 2.1).

    Raises:
        Refused: invalid_request without a token.
    """
    token = ask.given.one("token")
    if token is None:
        raise Refused(ErrorCode.INVALID_REQUEST, "token is missing")
    if ask.once:
        async with ask.unit:
            await spend(ask.unit, ask.once)
    if token.startswith(REFRESH_PREFIX):
        return await _of_refresh_token(ask, token) or INACTIVE
    presented = await ask.runtime.get(BelievedTokens).find(token)
    claims = presented.claims if presented is not None else await _of_own_sign_in(ask, token)
    if claims is None or not await concerns(ask, claims):
        return INACTIVE
    is_bound = "jkt" in claims.get("cnf", {})
    said = {name: claims[name] for name in SAID if name in claims}
    return {"active": True, **said, "token_type": "DPoP" if is_bound else "Bearer"}


async def signed(ask: Ask, answer: Mapping[str, Any]) -> str:
    """Return the answer as a JWT for the client that asked (RFC 9701, section 5; row 10.2).

    What the token says stands in one member, so that the answer is never taken for the token itself.
    """
    purpose = signing_purpose(ask.client, ask.client.metadata.introspection_signed_response_alg)
    await ensure_keys(ask.runtime, [purpose])
    claims = {
        "iss": ask.runtime.settings.public_url,
        "aud": ask.client.client_id,
        "iat": int(ask.now.timestamp()),
        "token_introspection": answer,
    }
    return ask.runtime.get(Keyring).sign(claims, purpose=purpose, typ=JWT_TYPE)


def wants_jwt(ask: Ask) -> bool:
    """Tell whether the client asks for a signed answer (RFC 9701, section 4)."""
    accepted = ask.transport.accept.lower().split(",")
    return any(each.partition(";")[0].strip() == JWT_MEDIA_TYPE for each in accepted)


async def concerns(ask: Ask, claims: Mapping[str, Any]) -> bool:
    """Tell whether a token concerns who asks: its client, and its audience (RFC 7662, sections 2.2 and 4)."""
    if claims["client_id"] == ask.client.client_id:
        return True
    try:
        audience = normal_form(claims["aud"])
        resource = await ask.runtime.get(ResourceBook).find(audience)
        own = {normal_form(each) for each in ask.client.policy.resources or ()}
    except Refused:
        return False
    return audience in own or (resource is not None and ask.client.client_id in resource.introspected_by)


async def _of_own_sign_in(ask: Ask, token: str) -> Mapping[str, Any] | None:
    """Return what a token of our own sign-in says; it is for our API alone, and lives as long as its session."""
    audience = ask.runtime.settings.public_url + API_PATH
    try:
        claims = await PresentedTokens(ask.runtime).read_claims(token, audience=audience)
        if claims["client_id"] != FIRST_PARTY:
            return None
        await ask.runtime.get(AccessTokens).verify(token)
    except (TokenRejected, TokenEnded, SessionEnded):
        return None
    return claims


async def _of_refresh_token(ask: Ask, token: str) -> Mapping[str, Any] | None:
    families = TokenFamilies(ask.runtime, ask.unit)
    try:
        counter, family = families.read(token).counter, await families.family_of(token)
    except RefreshTokenInvalid:
        return None
    is_leaf = family.is_live(ask.now) and counter == family.counter
    if not is_leaf or family.grant_id is None or family.client_id != str(ask.client.key):
        return None
    async with ask.runtime.reads() as session:
        standing = await StandingRepository(session).find_good(family.grant_id, b"")
    if standing is None:
        return None
    return {
        "active": True,
        "scope": family.scope,
        "client_id": ask.client.client_id,
        "sub": subject_of(ask.runtime, ask.client, standing.user_id)
        if standing.user_id is not None
        else ask.client.client_id,
        "iss": ask.runtime.settings.public_url,
        "iat": int(family.rotated_at.timestamp()),
        "exp": int(min(family.idle_expires_at, family.absolute_expires_at).timestamp()),
    }
