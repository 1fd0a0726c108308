"""Access tokens for our own API that are opaque, or are shown with the key that they are bound to (RFC 9449, 7.1)."""

from collections.abc import Mapping
from typing import Any

from portico.http.authentication import Principal
from portico.keys.errors import TokenRejected
from portico.keys.types import TokenFault
from portico.oauth.services.api_callers import ApiCallers
from portico.oauth.services.clients import ClientBook
from portico.oauth.services.presented_tokens import PresentedTokens, TokenEnded
from portico.oauth.services.resources import API_PATH
from portico.oauth.services.shown_tokens import ShownToken, check_proof
from portico.runtime import Runtime


class BoundTokens:
    """Finds out whom such a token stands for."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._audience = runtime.settings.public_url + API_PATH

    async def caller_of(self, shown: ShownToken) -> Principal:
        """Return the caller.

        Raises:
            TokenRejected: the token is not good, or bound to no key although one was shown (401).
            Refused, OAuthRefusal: as `check_proof`.
        """
        claims = await self._claims(shown.token)
        callers = ApiCallers(self._runtime)
        if not shown.is_dpop:
            return (await callers.believe(claims)).principal
        jkt = claims.get("cnf", {}).get("jkt")
        if jkt is None:
            raise TokenRejected(TokenFault.CLAIMS)
        client = await self._runtime.get(ClientBook).find_known(claims["client_id"])
        await check_proof(self._runtime, shown, jkt, is_fapi=client is not None and client.is_fapi)
        return (await callers.believe_bound(claims)).principal

    async def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            return await PresentedTokens(self._runtime).read_claims(token, audience=self._audience)
        except TokenEnded:
            raise TokenRejected(TokenFault.CLAIMS) from None
