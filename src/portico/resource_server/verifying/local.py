"""Verifies tokens of the Portico in the same process: its keys or rows, and the state of what the token came of.

A verified token is believed until something revokes it: the grant, the client, the person, or the session where it
goes with one. `BoundedCache` hears the revocation log, so that an ended grant is refused by every process once the
request that ended it has been answered; most requests ask no database.
"""

from collections.abc import Sequence
from typing import Final

from portico.coordination.cache import BoundedCache
from portico.coordination.revocations import RevocationLog
from portico.keys.errors import TokenRejected
from portico.keys.types import TokenFault as JwtFault
from portico.oauth.services.presented_tokens import PresentedTokens, TokenEnded
from portico.oauth.settings import OAuthSettings
from portico.resource_server.errors import TokenInvalid
from portico.resource_server.types import TokenFault, TokenHolder
from portico.resource_server.verifying.claims import Demands, holder_of
from portico.runtime import Runtime
from portico.sessions.services.believed import KeySpace

FAULTS: Final = {
    JwtFault.EXPIRED: TokenFault.EXPIRED,
    JwtFault.ISSUER: TokenFault.ISSUER,
    JwtFault.AUDIENCE: TokenFault.AUDIENCE,
    JwtFault.NOT_YET: TokenFault.NOT_YET,
}


class LocalVerifier:
    """Verifies for one resource."""

    def __init__(self, runtime: Runtime, demands: Demands) -> None:
        self._clock = runtime.clock
        self._demands = demands
        self._tokens = PresentedTokens(runtime)
        self._space = KeySpace("resource", demands.issuer, demands.audience)
        self._believed: BoundedCache[bytes, TokenHolder] = BoundedCache(
            runtime.get(RevocationLog), runtime.section(OAuthSettings).cached_tokens
        )

    async def verify(self, token: str) -> TokenHolder:
        """Return the holder of a token that is good now.

        Raises:
            TokenInvalid: it is not.
        """
        holder = await self._believed.get(self._space.key(token), lambda: self._read(token))
        if self._clock.now() >= holder.expires_at:
            raise TokenInvalid(TokenFault.EXPIRED)
        return holder

    async def _read(self, token: str) -> tuple[TokenHolder, Sequence[str]]:
        try:
            presented = await self._tokens.read(token, audience=self._demands.audience)
        except TokenRejected as error:
            raise TokenInvalid(FAULTS.get(error.fault, TokenFault.NO_TOKEN_OF_OURS), error.fault) from None
        except TokenEnded:
            raise TokenInvalid(TokenFault.ENDED) from None
        return holder_of(presented.claims, self._demands, self._clock.now()), presented.subjects
