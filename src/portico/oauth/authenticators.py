"""Recognises clients at our own API by what sessions do not know: opaque tokens, and tokens bound to a key.

Bearer JWTs of clients are found by the authenticator of sessions, in its memory, so that nobody's request gets slower
for them; see `services.api_callers`.
"""

from collections.abc import Mapping
from typing import Final

from starlette.types import Scope

from portico.http.authentication import Principal, Rejection
from portico.keys.errors import TokenRejected
from portico.oauth.errors import OAuthRefusal
from portico.oauth.pipeline.asks import Transport
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc9449_dpop import ALGORITHMS
from portico.oauth.services.bound_tokens import BoundTokens
from portico.oauth.services.shown_tokens import ShownToken
from portico.oauth.types import OPAQUE_TOKENS
from portico.runtime import Runtime

_BAD_TOKEN: Final = "token_rejected", "The access token is not valid"
_BAD_PROOF: Final = "proof_rejected", "The DPoP proof is missing or not good"
_ALGS: Final = {"algs": " ".join(sorted(ALGORITHMS))}
_OPAQUE: Final = f"bearer {OPAQUE_TOKENS.prefix}"


class ClientTokenAuthenticator:
    """`Authorization: Bearer pot_…` and `Authorization: DPoP …`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def authenticate(self, scope: Scope, headers: Mapping[str, str]) -> Principal | Rejection | None:
        """Return the principal, a rejection, or None where the header names another scheme or a JWT."""
        header = headers.get("authorization")
        if header is None:
            return None
        is_bound = header[:5].lower() == "dpop "
        if not is_bound and header[: len(_OPAQUE)].lower() != _OPAQUE:
            return None
        transport = Transport(
            method=scope["method"],
            url=self._runtime.settings.public_url + scope["path"],
            proofs=_proofs(scope),
        )
        shown = ShownToken(token=header.partition(" ")[2], is_dpop=is_bound, transport=transport)
        try:
            return await BoundTokens(self._runtime).caller_of(shown)
        except TokenRejected:
            return _rejected() if is_bound else Rejection(*_BAD_TOKEN)
        except Refused as refused:
            return _rejected(refused.error)
        except OAuthRefusal as refusal:
            return _rejected(refusal.error, refusal.headers)


def _rejected(
    error: ErrorCode = ErrorCode.INVALID_TOKEN, headers: Mapping[str, str] | None = None
) -> Rejection:
    """Return the rejection of what was shown as bound; its challenge is of DPoP (RFC 9449, sections 7.1 and 9)."""
    said = _BAD_TOKEN if error is ErrorCode.INVALID_TOKEN else _BAD_PROOF
    return Rejection(*said, scheme="DPoP", error=error.value, parameters=_ALGS, headers=headers or {})


def _proofs(scope: Scope) -> tuple[str, ...]:
    """Return every `DPoP` header: with none or several the proof is not good (RFC 9449, section 4.3, check 1)."""
    return tuple(value.decode("latin-1") for name, value in scope["headers"] if name == b"dpop")
