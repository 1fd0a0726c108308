"""Tokens that their client gives back (RFC 7009).

refresh token    its grant ends, and with it every token that came of it
access token     it alone: an opaque one by its row, a JWT by its id, which is remembered until it would be over
ID token         unsupported_token_type: nobody asks us whether one is good
anything else    nothing, and the same answer: of another client, over, or none at all
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.keys.errors import TokenRejected
from portico.oauth.pipeline.asks import Ask
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.repositories import SpentIdRepository
from portico.oauth.repositories.tokens import OpaqueTokenRepository
from portico.oauth.services.grants import Grants
from portico.oauth.services.id_tokens import IdTokens
from portico.oauth.services.once import REVOKED, hash_of, spend
from portico.oauth.services.presented_tokens import PresentedTokens, TokenEnded
from portico.oauth.types import OPAQUE_TOKENS, GrantEnd
from portico.tokens.errors import RefreshTokenInvalid
from portico.tokens.refresh_format import PREFIX as REFRESH_PREFIX
from portico.tokens.services import TokenFamilies


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenBack:
    """What the token is: of a grant as a whole, or one access token."""

    grant_id: UUID | None = None
    claims: Mapping[str, Any] | None = None
    is_opaque: bool = False


async def revoke_token(ask: Ask) -> None:
    """Revoke the token of the request, refused on every node once this is answered (row 9.1).

    `token_type_hint` is not read: the token itself tells what it is (RFC 7009, section 2.1).

    Raises:
        Refused: invalid_request without a token, unsupported_token_type for an ID token.
    """
    token = ask.given.one("token")
    if token is None:
        raise Refused(ErrorCode.INVALID_REQUEST, "token is missing")
    found = await _found(ask, token)
    if found is None and not ask.once:
        return
    async with ask.unit:
        await spend(ask.unit, ask.once)
        if found is None:
            return
        if found.grant_id is not None:
            await Grants(ask.runtime, ask.unit).end([found.grant_id], GrantEnd.REVOKED_BY_CLIENT)
        if found.claims is not None:
            await _end_alone(ask, found.claims, is_opaque=found.is_opaque)


async def _found(ask: Ask, token: str) -> GivenBack | None:
    """Return what the token is if it is the client's own (RFC 7009, section 2.1)."""
    if token.startswith(REFRESH_PREFIX):
        return await _refresh_token(ask, token)
    try:
        claims = await PresentedTokens(ask.runtime).read_claims(token)
    except (TokenRejected, TokenEnded):
        _refuse_id_token(ask, token)
        return None
    if claims["client_id"] != ask.client.client_id:
        return None
    return GivenBack(claims=claims, is_opaque=token.startswith(OPAQUE_TOKENS.prefix))


async def _refresh_token(ask: Ask, token: str) -> GivenBack | None:
    try:
        family = await TokenFamilies(ask.runtime, ask.unit).family_of(token)
    except RefreshTokenInvalid:
        return None
    if family.grant_id is None or family.client_id != str(ask.client.key):
        return None
    return GivenBack(grant_id=family.grant_id)


def _refuse_id_token(ask: Ask, token: str) -> None:
    hint = ask.runtime.get(IdTokens).read_hint(token)
    if hint is not None and hint["aud"] == ask.client.client_id:
        raise Refused(ErrorCode.UNSUPPORTED_TOKEN_TYPE, "ID tokens cannot be revoked")


async def _end_alone(ask: Ask, claims: Mapping[str, Any], *, is_opaque: bool) -> None:
    jti, session = claims["jti"], ask.unit.session
    if is_opaque:
        is_new = await OpaqueTokenRepository(session).revoke(UUID(jti), ask.now)
    else:
        until = datetime.fromtimestamp(claims["exp"], UTC)
        spent = hash_of(REVOKED, ask.client.client_id, jti)
        is_new = await SpentIdRepository(session).spend(spent, until)
    if not is_new:
        return
    await ask.runtime.get(RevocationLog).append(ask.unit, [f"token:{jti}"])
    record(
        ask.runtime,
        ask.unit,
        "oauth.token.revoked",
        actor=ask.client.key,
        subject=("oauth_client", ask.client.key),
        details={"client_id": ask.client.client_id, "jti": jti, "grant": claims.get("grant_id")},
    )
