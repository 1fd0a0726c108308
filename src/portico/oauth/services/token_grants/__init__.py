"""What each grant type does at the token endpoint; one file a grant type, found by `GRANTS`."""

from collections.abc import Awaitable, Callable, Mapping

from portico.oauth.pipeline.asks import Ask
from portico.oauth.services.token_grants.answers import TokenAnswer
from portico.oauth.services.token_grants.authorization_code import exchange_code
from portico.oauth.services.token_grants.client_credentials import issue_to_client
from portico.oauth.services.token_grants.device_code import exchange_device_code
from portico.oauth.services.token_grants.jwt_bearer import exchange_assertion
from portico.oauth.services.token_grants.refresh_token import refresh
from portico.oauth.services.token_grants.token_exchange import exchange_token
from portico.oauth.types import GrantType

GRANTS: Mapping[GrantType, Callable[[Ask], Awaitable[TokenAnswer]]] = {
    GrantType.AUTHORIZATION_CODE: exchange_code,
    GrantType.REFRESH_TOKEN: refresh,
    GrantType.CLIENT_CREDENTIALS: issue_to_client,
    GrantType.DEVICE_CODE: exchange_device_code,
    GrantType.TOKEN_EXCHANGE: exchange_token,
    GrantType.JWT_BEARER: exchange_assertion,
}

__all__ = ["GRANTS", "TokenAnswer"]
