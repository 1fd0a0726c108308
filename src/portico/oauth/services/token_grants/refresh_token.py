"""A refresh token for the next one, and a fresh access token (OAuth 2.1, section 4.3)."""

from datetime import timedelta
from uuid import UUID

from portico.oauth.errors import KeptRefusal
from portico.oauth.pipeline.asks import Ask
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.repositories import FoundGrant, GrantRepository
from portico.oauth.services.grants import Grants
from portico.oauth.services.once import spend
from portico.oauth.services.token_grants.answers import TokenAnswer, answered, narrowed
from portico.oauth.services.token_grants.authorization_code import check_sender
from portico.oauth.services.token_grants.one_trip import refresh_in_one_trip
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import GrantEnd
from portico.tokens.errors import RefreshTokenInvalid, RefreshTokenReplayed
from portico.tokens.services import TokenFamilies
from portico.tokens.types import Rotation


async def refresh(ask: Ask) -> TokenAnswer:
    """Rotate the token; for clients of the FAPI profile the same one stays good (FAPI 2.0, section 5.3.2.1).

    Raises:
        Refused: invalid_grant, and what `narrowed` refuses.
        KeptRefusal: the token was rotated away before (row 1.17), or the session for which it was given is over;
            everything of its grant is ended.
    """
    token = ask.given.one("refresh_token")
    if token is None:
        raise Refused(ErrorCode.INVALID_REQUEST, "refresh_token is missing")
    if (plain := await _refreshed_in_one_trip(ask, token)) is not None:
        return plain
    async with ask.unit:
        await spend(ask.unit, ask.once)
        grant, next_token = await _rotated(ask, token)
        left = await narrowed(ask, grant)
        return await answered(ask, grant, left, sender=ask.sender, refresh_token=next_token)


async def _refreshed_in_one_trip(ask: Ask, token: str) -> TokenAnswer | None:
    try:
        return await refresh_in_one_trip(ask, token)
    except RefreshTokenInvalid:
        raise Refused(ErrorCode.INVALID_GRANT, "the refresh token is not good") from None


async def _rotated(ask: Ask, token: str) -> tuple[FoundGrant, str]:
    families = TokenFamilies(ask.runtime, ask.unit)
    settings = ask.runtime.section(OAuthSettings)
    try:
        if ask.client.is_fapi:
            family = await families.touch(token, idle=_idle(ask))
            return await _grant_of(ask, family.grant_id), token
        rotation = await families.rotate(token, grace=settings.refresh_grace, idle=_idle(ask))
    except RefreshTokenReplayed:
        raise await _replayed(ask, token) from None
    except RefreshTokenInvalid:
        raise Refused(ErrorCode.INVALID_GRANT, "the refresh token is not good") from None
    return await _of(ask, rotation)


async def _of(ask: Ask, rotation: Rotation) -> tuple[FoundGrant, str]:
    return await _grant_of(ask, rotation.family.grant_id), rotation.refresh_token


async def _grant_of(ask: Ask, grant_id: UUID | None) -> FoundGrant:
    """Return the grant of the family, if it is this client's and may go on; if not, nothing was rotated.

    A public client shows the key that the grant is bound to; one that authenticates may change its key (RFC 9449,
    section 5).
    """
    grant = None
    if grant_id is not None:
        grant = await GrantRepository(ask.unit.session).find_working(grant_id)
    if grant is None or grant.client_key != ask.client.key:
        raise Refused(ErrorCode.INVALID_GRANT, "the refresh token is not good")
    if grant.is_over(ask.now):
        await Grants(ask.runtime, ask.unit).end([grant.id], GrantEnd.SESSION_EXPIRED)
        raise KeptRefusal(ErrorCode.INVALID_GRANT, "the person is signed in no more")
    if ask.client.is_public:
        check_sender(ask, grant.sender)
    return grant


async def _replayed(ask: Ask, token: str) -> KeptRefusal:
    family = await TokenFamilies(ask.runtime, ask.unit).family_of(token)
    if family.grant_id is not None:
        await Grants(ask.runtime, ask.unit).end([family.grant_id], GrantEnd.TOKEN_REPLAYED)
    return KeptRefusal(ErrorCode.INVALID_GRANT, "the refresh token was used before")


def _idle(ask: Ask) -> timedelta:
    seconds = ask.client.policy.refresh_idle_seconds
    if seconds is not None:
        return timedelta(seconds=seconds)
    return ask.runtime.section(OAuthSettings).refresh_idle
