"""Checks of a token request as such."""

from portico.oauth.pipeline.asks import Ask
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.types import GrantType

KNOWN = {grant.value: grant for grant in GrantType}
PROVEN = frozenset({GrantType.CLIENT_CREDENTIALS, GrantType.TOKEN_EXCHANGE, GrantType.JWT_BEARER})
"""Grants that only clients may use that can prove who they are (OAuth 2.1, section 4.2; row 1.18)."""


async def grant_type_is_offered(ask: Ask) -> None:
    """`grant_type` is one that there is (RFC 6749, section 5.2)."""
    text = ask.given.one("grant_type")
    if text is None:
        raise Refused(ErrorCode.INVALID_REQUEST, "grant_type is missing")
    grant = KNOWN.get(text)
    if grant is None:
        raise Refused(ErrorCode.UNSUPPORTED_GRANT_TYPE, "grant_type is not supported")
    ask.grant_type = grant


async def grant_type_is_registered(ask: Ask) -> None:
    """The client is registered for it (RFC 6749, section 5.2)."""
    grant = ask.grant_type
    if grant is None or not ask.client.may_use(grant):
        raise Refused(ErrorCode.UNAUTHORIZED_CLIENT, "the client is not registered for this grant_type")
    if grant in PROVEN and ask.client.is_public and ask.vouched is None:
        raise Refused(
            ErrorCode.UNAUTHORIZED_CLIENT, "only a client that authenticates may use this grant_type"
        )


async def device_grant_is_registered(ask: Ask) -> None:
    """The client is registered for device codes (RFC 8628, section 3.1)."""
    if not ask.client.may_use(GrantType.DEVICE_CODE):
        raise Refused(ErrorCode.UNAUTHORIZED_CLIENT, "the client is not registered for device codes")
