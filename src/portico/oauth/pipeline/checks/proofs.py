"""Checks of what tokens are bound to: DPoP keys and TLS certificates."""

from functools import partial

from portico.oauth.errors import OAuthRefusal
from portico.oauth.pipeline.asks import Ask, Once
from portico.oauth.protocol.jose import STRONG
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc8705_mutual_tls import parse_certificate
from portico.oauth.protocol.rfc9449_dpop import (
    ALGORITHMS,
    Proof,
    check_nonce,
    make_nonce,
    read_dpop_jkt,
    sole_proof,
    verify_proof,
)
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import SenderKey
from portico.runtime import Runtime

NONCE_KEY = "oauth.dpop_nonce"


async def sender_key_is_proven(ask: Ask) -> None:
    """Tokens are bound to the DPoP key or certificate that the request shows (rows 15.1, 15.2, 19.1)."""
    proof = await _proof(ask)
    if proof is not None:
        ask.sender = SenderKey(jkt=proof.jkt)
        return
    metadata = ask.client.metadata
    if metadata.tls_client_certificate_bound_access_tokens and ask.transport.certificate is not None:
        ask.sender = SenderKey(x5t=parse_certificate(ask.transport.certificate).thumbprint)
    must = metadata.dpop_bound_access_tokens or ask.client.is_fapi
    if must and not ask.sender:
        raise Refused(ErrorCode.INVALID_DPOP_PROOF, "this client's tokens are bound: send a DPoP proof")
    if metadata.tls_client_certificate_bound_access_tokens and not ask.sender:
        raise Refused(ErrorCode.INVALID_REQUEST, "this client's tokens are bound to its certificate: show it")


async def code_key_is_named(ask: Ask) -> None:
    """`dpop_jkt` binds the code to a key; beside a proof it names the same one (RFC 9449, section 10)."""
    proof = await _proof(ask) if ask.transport.proofs else None
    jkt = read_dpop_jkt(ask.given.one("dpop_jkt"), proof)
    if jkt is not None:
        ask.sender = SenderKey(jkt=jkt)


async def _proof(ask: Ask) -> Proof | None:
    if not ask.transport.proofs:
        return None
    now = ask.now.timestamp()
    proof = verify_proof(
        sole_proof(ask.transport.proofs),
        method=ask.transport.method,
        uri=ask.transport.url,
        now=now,
        algorithms=STRONG if ask.client_ is not None and ask.client.is_fapi else ALGORITHMS,
    )
    require_nonce(ask.runtime, proof, now)
    ask.once.append(Once("dpop", proof.jkt, proof.jti, proof.remember_until, ErrorCode.INVALID_DPOP_PROOF))
    return proof


def require_nonce(runtime: Runtime, proof: Proof, now: float, *, status: int = 400) -> None:
    """Ask for a nonce of ours where the settings want one, and refuse one that is not (RFC 9449, section 8).

    Raises:
        OAuthRefusal: use_dpop_nonce, with a fresh one in the answer (400; 401 at a resource).
    """
    mac = partial(runtime.secret.mac, NONCE_KEY)
    try:
        check_nonce(proof, mac, now, is_required=runtime.section(OAuthSettings).requires_dpop_nonce)
    except Refused as refused:
        headers = {"DPoP-Nonce": make_nonce(mac, now)}
        raise OAuthRefusal(
            refused.error, refused.description, log=refused.detail, status=status, headers=headers
        ) from None
