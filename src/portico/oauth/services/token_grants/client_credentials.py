"""A token for the client itself (OAuth 2.1, section 4.2); no refresh token, no person."""

from portico.oauth.pipeline.asks import Ask
from portico.oauth.pipeline.checks.targets import resources_are_known, scopes_are_known
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.services.access_tokens import AccessTokenMint, TokenFacts
from portico.oauth.services.once import spend
from portico.oauth.services.resources import IDENTITY_SCOPES
from portico.oauth.services.token_grants.answers import TokenAnswer, check_is_bound


async def issue_to_client(ask: Ask) -> TokenAnswer:
    """Return a token whose subject is the client. Nothing is written where nothing has to be remembered.

    Raises:
        Refused: invalid_target, invalid_scope.
    """
    await resources_are_known(ask)
    if len(ask.resources) > 1:
        raise Refused(ErrorCode.INVALID_TARGET, "a token is for one resource: name it")
    await scopes_are_known(ask)
    for resource in ask.resources:
        check_is_bound(ask, resource)
    if ask.once:
        async with ask.unit:
            await spend(ask.unit, ask.once)
            return await _minted(ask)
    return await _minted(ask)


async def _minted(ask: Ask) -> TokenAnswer:
    scope = " ".join(scope for scope in ask.scopes if scope not in IDENTITY_SCOPES)
    access = await AccessTokenMint(ask.runtime, ask.unit).mint(
        ask.client,
        TokenFacts(
            subject=ask.client.client_id,
            scope=scope,
            resource=ask.resources[0] if ask.resources else None,
            organization_id=ask.client.organization_id,
            sender=ask.sender,
        ),
    )
    return TokenAnswer(access=access, scope=scope)
