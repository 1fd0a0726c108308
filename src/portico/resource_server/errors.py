"""What can go wrong at a protected resource.

    TokenInvalid            why a token does not pass; becomes a 401
    ServerUnavailable       the authorization server cannot be asked; becomes a 503
    AccessRefused           what is answered: 400, 401, 403, 421, 503

`AccessRefused` is an `HTTPException`, so that any FastAPI or Starlette application answers it; inside of Portico it
becomes a problem document like every other error.
"""

from collections.abc import Mapping

from fastapi import HTTPException

from portico.resource_server.types import TokenFault


class TokenInvalid(Exception):
    """A token that does not pass here; `detail` is for the log."""

    def __init__(self, fault: TokenFault, detail: str = "") -> None:
        super().__init__(f"{fault}: {detail}" if detail else str(fault))
        self.fault = fault
        self.detail = detail


class ServerUnavailable(Exception):
    """The authorization server does not answer, or not as one; nothing can be said of any token."""


class AccessRefused(HTTPException):
    """The request is not served; `headers` hold the challenge (RFC 6750, section 3)."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail, dict(headers or {}))
