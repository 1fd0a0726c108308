"""Access tokens as they are shown to us as a resource, and the proof that a bound one needs (RFC 9449, section 7.1)."""

from dataclasses import dataclass, field

from portico.oauth.pipeline.asks import Once, Transport
from portico.oauth.pipeline.checks.proofs import require_nonce
from portico.oauth.protocol.jose import STRONG
from portico.oauth.protocol.refusals import ErrorCode
from portico.oauth.protocol.rfc9449_dpop import ALGORITHMS, check_key, sole_proof, verify_proof
from portico.oauth.services.once import spend
from portico.runtime import Runtime

UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownToken:
    """An access token as it was shown: by which scheme, with what beside it."""

    token: str = field(repr=False)
    is_dpop: bool
    transport: Transport


async def check_proof(runtime: Runtime, shown: ShownToken, jkt: str, *, is_fapi: bool) -> None:
    """See that the token is shown with one proof, by the key that it is bound to, that was made for this request.

    Raises:
        Refused: invalid_dpop_proof, or invalid_token where another key made the proof; also the second time.
        OAuthRefusal: use_dpop_nonce, with a nonce in the answer (401).
    """
    now = runtime.clock.now().timestamp()
    proof = verify_proof(
        sole_proof(shown.transport.proofs),
        method=shown.transport.method,
        uri=shown.transport.url,
        now=now,
        access_token=shown.token,
        algorithms=STRONG if is_fapi else ALGORITHMS,
    )
    check_key(proof, jkt, ErrorCode.INVALID_TOKEN)
    require_nonce(runtime, proof, now, status=UNAUTHORIZED)
    once = Once("dpop", proof.jkt, proof.jti, proof.remember_until, ErrorCode.INVALID_DPOP_PROOF)
    async with (unit := runtime.unit()):
        await spend(unit, [once])
