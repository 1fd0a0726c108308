"""A code for tokens (OAuth 2.1, section 4.1.3)."""

from portico.core import failpoints
from portico.oauth.errors import KeptRefusal
from portico.oauth.pipeline.asks import Ask
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc7636_pkce import check_verifier
from portico.oauth.repositories import FoundGrant, GrantRepository
from portico.oauth.services.grants import Grants
from portico.oauth.services.once import spend
from portico.oauth.services.token_grants.answers import TokenAnswer, answered, begin_refreshing, narrowed
from portico.oauth.services.token_grants.one_trip import exchange_in_one_trip
from portico.oauth.types import CODES, GrantEnd, SenderKey
from portico.tokens.secret_format import NotASecret


async def exchange_code(ask: Ask) -> TokenAnswer:
    """Spend the code and return tokens; whatever is wrong with the request leaves the code unspent.

    Raises:
        Refused: invalid_grant, and what `narrowed` refuses.
        KeptRefusal: the code was spent before; everything that came of it is ended (row 1.10).
    """
    code_hash = _hash_of(ask.given.one("code"))
    if (plain := await exchange_in_one_trip(ask, code_hash)) is not None:
        return plain
    async with ask.unit:
        await spend(ask.unit, ask.once)
        if failpoints.armed:
            await failpoints.reach("oauth.code.before_write")
        grant = await GrantRepository(ask.unit.session).spend_code(code_hash, ask.now)
        if grant is None:
            raise await _not_good(ask, code_hash)
        _check_bindings(ask, grant)
        left = await narrowed(ask, grant)
        return await answered(
            ask, grant, left, sender=ask.sender, refresh_token=await begin_refreshing(ask, grant)
        )


def _hash_of(code: str | None) -> bytes:
    if code is None:
        raise Refused(ErrorCode.INVALID_REQUEST, "code is missing")
    try:
        return CODES.hash_of(code)
    except NotASecret:
        raise Refused(ErrorCode.INVALID_GRANT, "the code is not good") from None


async def _not_good(ask: Ask, code_hash: bytes) -> Refused | KeptRefusal:
    """Tell a code that was spent from one that never was; the first ends its grant, if its own client shows it."""
    found = await GrantRepository(ask.unit.session).find_by_code(code_hash)
    if found is None or found[1] is None or found[0].client_key != ask.client.key:
        return Refused(ErrorCode.INVALID_GRANT, "the code is not good")
    await Grants(ask.runtime, ask.unit).end([found[0].id], GrantEnd.CODE_REPLAYED)
    return KeptRefusal(ErrorCode.INVALID_GRANT, "the code was used before")


def _check_bindings(ask: Ask, grant: FoundGrant) -> None:
    """Client, redirect, challenge and key are those of the request that the code answered (1.8, 1.9, 1.11, 15.2)."""
    if grant.client_key != ask.client.key:
        raise Refused(ErrorCode.INVALID_GRANT, "the code is not good", "the code of another client")
    asked = ask.given.one("redirect_uri")
    if asked is not None and grant.redirect_uri is not None and asked != grant.redirect_uri:
        raise Refused(ErrorCode.INVALID_GRANT, "redirect_uri is not that of the authorization request")
    check_verifier(ask.given.one("code_verifier"), grant.challenge)
    check_sender(ask, grant.sender)


def check_sender(ask: Ask, bound: SenderKey) -> None:
    """What is bound to a key is shown with that key (RFC 9449, sections 5 and 10; RFC 8705, section 4).

    Raises:
        Refused: invalid_grant.
    """
    if bound.jkt is not None and ask.sender.jkt != bound.jkt:
        raise Refused(ErrorCode.INVALID_GRANT, "it is bound to another DPoP key")
    if bound.x5t is not None and ask.sender.x5t != bound.x5t:
        raise Refused(ErrorCode.INVALID_GRANT, "it is bound to another certificate")
