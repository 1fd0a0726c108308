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
from portico.oauth.protocol.refusals import Refused
from portico.oauth.services.bound_tokens import BoundTokens, Shown
from portico.oauth.types import OPAQUE_TOKENS
from portico.runtime import Runtime

_REJECTED: Final = Rejection("token_rejected", "The access token is not valid")
_UNPROVEN: Final = Rejection("proof_rejected", "The DPoP proof is missing or not good")
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
        shown = Shown(
            token=header.partition(" ")[2],
            method=scope["method"],
            path=scope["path"],
            proofs=_proofs(scope) if is_bound else None,
        )
        try:
            return await BoundTokens(self._runtime).caller_of(shown)
        except TokenRejected:
            return _REJECTED
        except (Refused, OAuthRefusal):
            return _UNPROVEN


def _proofs(scope: Scope) -> list[str]:
    """Return every `DPoP` header: with none or several the proof is not good (RFC 9449, section 4.3, check 1)."""
    return [value.decode("latin-1") for name, value in scope["headers"] if name == b"dpop"]
