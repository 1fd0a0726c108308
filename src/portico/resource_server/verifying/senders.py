"""Whether a token is shown by whom it was bound to: by a DPoP proof (RFC 9449) or a TLS certificate (RFC 8705).

A bound token without its proof is as good as stolen, and an unbound one with the `DPoP` scheme proves nothing; both
are refused. A `cnf` of another kind cannot be checked here, so it does not pass either (RFC 7800, section 3.1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.types import Scope

from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc8705_mutual_tls import (
    CONFIRMATION,
    check_binding,
    parse_certificate,
)
from portico.oauth.protocol.rfc9449_dpop import (
    Mac,
    Proof,
    check_key,
    check_nonce,
    make_nonce,
    sole_proof,
    verify_proof,
)
from portico.resource_server.credentials import Presented
from portico.resource_server.declarations import Declaration
from portico.resource_server.errors import TokenInvalid
from portico.resource_server.types import Scheme, TokenFault, TokenHolder
from portico.resource_server.verifying.replays import ProofMemory

KEY = "jkt"


class ProofRefused(Exception):
    """The proof that came with a token does not prove it."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(str(refused))
        self.error = refused.error
        self.description = refused.description
        self.detail = refused.detail or refused.description


@dataclass(frozen=True, slots=True)
class Proofs:
    """What DPoP proofs need besides themselves: who remembers them, and what makes nonces, if anything does."""

    memory: ProofMemory
    mac: Mac | None = None

    def nonce(self, now: datetime) -> str | None:
        """Return the nonce of the moment (RFC 9449, section 9)."""
        return make_nonce(self.mac, now.timestamp()) if self.mac is not None else None


class Senders:
    """Checks the binding of tokens at one resource."""

    def __init__(self, declaration: Declaration) -> None:
        parts = urlsplit(declaration.identifier)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._requires_dpop = declaration.requires_dpop
        self._requires_nonce = declaration.requires_dpop_nonce
        header = declaration.certificate_header
        self._certificate_header = header.lower().encode() if header is not None else None

    async def check(
        self, scope: Scope, presented: Presented, holder: TokenHolder, now: datetime, proofs: Proofs
    ) -> None:
        """Refuse a token that is not shown by its sender.

        Raises:
            TokenInvalid: bound and shown without proof, or the other way round.
            ProofRefused: the DPoP proof does not prove it.
            ServerUnavailable: more proofs were shown in a minute than can be remembered.
        """
        binding = _binding(holder.claims)
        is_bound_to_key = KEY in binding
        if is_bound_to_key is not (presented.scheme is Scheme.DPOP):
            raise TokenInvalid(TokenFault.BINDING, "the scheme does not fit the token")
        if self._requires_dpop and not is_bound_to_key:
            raise TokenInvalid(TokenFault.BINDING, "bound to no key")
        if is_bound_to_key:
            await self._check_proof(scope, presented, binding[KEY], now.timestamp(), proofs)
        elif binding:
            self._check_certificate(scope, binding[CONFIRMATION])

    async def _check_proof(
        self, scope: Scope, presented: Presented, jkt: str, now: float, proofs: Proofs
    ) -> None:
        try:
            proof = self._read_proof(scope, presented.token or "", now)
            check_key(proof, jkt, ErrorCode.INVALID_TOKEN)
            if self._requires_nonce and proofs.mac is not None:
                check_nonce(proof, proofs.mac, now, is_required=True)
        except Refused as refused:
            raise ProofRefused(refused) from None
        if not await proofs.memory.note(proof, now):
            again = Refused(ErrorCode.INVALID_DPOP_PROOF, "The DPoP proof was used before")
            raise ProofRefused(again)

    def _read_proof(self, scope: Scope, token: str, now: float) -> Proof:
        """Read the proof for this request; its address is that of the declaration, whatever `Host` says."""
        headers = [value.decode("latin-1") for name, value in scope["headers"] if name == b"dpop"]
        path = scope.get("raw_path") or quote(scope["path"]).encode("ascii")
        return verify_proof(
            sole_proof(headers),
            method=scope["method"],
            uri=self._origin + path.decode("latin-1").partition("?")[0],
            now=now,
            access_token=token,
        )

    def _check_certificate(self, scope: Scope, bound: str) -> None:
        if self._certificate_header is None:
            raise TokenInvalid(
                TokenFault.BINDING, "bound to a certificate, and no certificate_header was declared"
            )
        given = [
            value.decode("latin-1") for name, value in scope["headers"] if name == self._certificate_header
        ]
        try:
            certificate = parse_certificate(given[0]) if len(given) == 1 else None
            check_binding(certificate, bound, ErrorCode.INVALID_TOKEN)
        except Refused as refused:
            raise TokenInvalid(TokenFault.BINDING, refused.description) from None


def _binding(claims: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what the token is bound to: one key or one certificate, or nothing.

    Raises:
        TokenInvalid: something else, or both.
    """
    binding = claims.get("cnf", {})
    if not isinstance(binding, dict) or len(binding) > 1 or not binding.keys() <= {KEY, CONFIRMATION}:
        raise TokenInvalid(TokenFault.BINDING, "bound in a way that is not checked here")
    if not all(isinstance(value, str) for value in binding.values()):
        raise TokenInvalid(TokenFault.CLAIMS, "cnf")
    if "cnf" in claims and not binding:
        raise TokenInvalid(TokenFault.CLAIMS, "cnf")
    return binding
