"""What a request gets that does not pass: the status, and the challenge that belongs to it."""

from collections.abc import Sequence
from typing import Final

from portico.oauth.protocol.refusals import ErrorCode
from portico.oauth.protocol.rfc9728_protected_resources import document_url
from portico.resource_server.challenges import Challenge
from portico.resource_server.declarations import Declaration
from portico.resource_server.errors import AccessRefused
from portico.resource_server.types import Scheme, TokenFault

RETRY_SECONDS: Final = 5


class Refusals:
    """Makes the refusals of one resource."""

    def __init__(self, declaration: Declaration) -> None:
        self._metadata_url = document_url(declaration.identifier)
        self._usual = Scheme.DPOP if declaration.requires_dpop else Scheme.BEARER

    def no_token(self, needed: Sequence[str]) -> AccessRefused:
        """Return the 401 for a request without a token; it says nothing of an error (RFC 6750, section 3.1)."""
        return self._made(401, "Connect with an access token", needed=needed)

    def malformed(self, detail: str) -> AccessRefused:
        """Return the 400 for credentials that are written wrongly."""
        return self._made(400, detail, error=ErrorCode.INVALID_REQUEST)

    def invalid(self, scheme: Scheme, fault: TokenFault, needed: Sequence[str]) -> AccessRefused:
        """Return the 401 for a token that does not pass; only that it has expired is told."""
        is_over = fault is TokenFault.EXPIRED
        detail = "The access token has expired" if is_over else "The access token is not valid here"
        return self._made(401, detail, error=ErrorCode.INVALID_TOKEN, scheme=scheme, needed=needed)

    def proof(self, error: ErrorCode, detail: str, nonce: str | None) -> AccessRefused:
        """Return the 401 for a DPoP proof that is none (RFC 9449, section 7.1), with a nonce where one is asked for."""
        refused = self._made(401, detail, error=error, scheme=Scheme.DPOP)
        if nonce is not None:
            refused.headers = {**(refused.headers or {}), "DPoP-Nonce": nonce}
        return refused

    def too_narrow(self, scheme: Scheme, needed: Sequence[str]) -> AccessRefused:
        """Return the 403 that names all scopes that the operation needs."""
        return self._made(
            403,
            "The access token is not good for this",
            error=ErrorCode.INSUFFICIENT_SCOPE,
            scheme=scheme,
            needed=needed,
        )

    def unavailable(self) -> AccessRefused:
        """Return the 503: nobody can say now what the token is, so that the client keeps it and tries again."""
        return AccessRefused(
            503, "The authorization server cannot be asked", {"Retry-After": str(RETRY_SECONDS)}
        )

    def _made(
        self,
        status: int,
        detail: str,
        *,
        error: ErrorCode | None = None,
        scheme: Scheme | None = None,
        needed: Sequence[str] = (),
    ) -> AccessRefused:
        challenge = Challenge(
            metadata_url=self._metadata_url,
            scheme=scheme or self._usual,
            error=error,
            description=detail,
            scopes=needed,
        )
        return AccessRefused(
            status, detail, {"WWW-Authenticate": str(challenge), "Cache-Control": "no-store"}
        )
