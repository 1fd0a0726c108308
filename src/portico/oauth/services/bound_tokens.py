"""Access tokens for our own API that are opaque, or are shown with the key that they are bound to (RFC 9449, 7.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from portico.core.crypto import same
from portico.http.authentication import Principal
from portico.keys.errors import TokenRejected
from portico.keys.types import TokenFault
from portico.oauth.pipeline.asks import Once
from portico.oauth.pipeline.checks.proofs import require_nonce
from portico.oauth.protocol.refusals import ErrorCode
from portico.oauth.protocol.rfc9449_dpop import sole_proof, verify_proof
from portico.oauth.services.api_callers import ApiCallers
from portico.oauth.services.once import spend
from portico.oauth.services.presented_tokens import PresentedTokens, TokenEnded
from portico.oauth.services.resources import API_PATH
from portico.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A token as it was shown, for what, and with which proofs; None where it is shown as a bearer's."""

    token: str = field(repr=False)
    method: str
    path: str
    proofs: Sequence[str] | None = field(repr=False)


class BoundTokens:
    """Finds out whom such a token stands for."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._audience = runtime.settings.public_url + API_PATH

    async def caller_of(self, shown: Shown) -> Principal:
        """Return the caller.

        Raises:
            TokenRejected: the token is not good, or not bound to the key that was shown (401).
            Refused, OAuthRefusal: the proof is not good, or was shown before.
        """
        claims = await self._claims(shown.token)
        bound = claims.get("cnf", {}).get("jkt")
        if shown.proofs is None:
            return (await ApiCallers(self._runtime).believe(claims)).principal
        if bound is None:
            raise TokenRejected(TokenFault.CLAIMS)
        await self._check_proof(shown, sole_proof(shown.proofs), bound)
        return (await ApiCallers(self._runtime).believe_bound(claims)).principal

    async def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            return await PresentedTokens(self._runtime).read_claims(token, audience=self._audience)
        except TokenEnded:
            raise TokenRejected(TokenFault.CLAIMS) from None

    async def _check_proof(self, shown: Shown, text: str, bound: str) -> None:
        now = self._runtime.clock.now().timestamp()
        proof = verify_proof(
            text,
            method=shown.method,
            uri=self._runtime.settings.public_url + shown.path,
            now=now,
            access_token=shown.token,
        )
        if not same(proof.jkt.encode(), bound.encode()):
            raise TokenRejected(TokenFault.CLAIMS)
        require_nonce(self._runtime, proof, now, status=401)
        once = Once("dpop", proof.jkt, proof.jti, proof.remember_until, ErrorCode.INVALID_DPOP_PROOF)
        async with (unit := self._runtime.unit()):
            await spend(unit, [once])
