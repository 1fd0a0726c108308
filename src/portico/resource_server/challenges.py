"""Writes `WWW-Authenticate`: how a client learns where to get a token, and what was wrong with the one it has.

RFC 6750, section 3; RFC 9449, section 7.1; RFC 9728, section 5.1. The pointer to the metadata stands in every
challenge, also where a token was refused, because clients look for it in both (MCP authorization, 2026-07-28).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from portico.oauth.protocol.refusals import ErrorCode
from portico.oauth.protocol.rfc9449_dpop import ALGORITHMS
from portico.resource_server.types import Scheme

PROOF_ALGORITHMS: Final = tuple(sorted(ALGORITHMS))
"""What a DPoP proof may be signed with; said in challenges and metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One challenge. `scopes` are what the operation needs, no more and never `offline_access`."""

    metadata_url: str
    scheme: Scheme = Scheme.BEARER
    error: ErrorCode | None = None
    """None where no token was presented: then nothing is wrong with one (RFC 6750, section 3.1)."""
    description: str = ""
    scopes: Sequence[str] = ()

    def __str__(self) -> str:
        """Return the value of the header."""
        parameters = {
            "error": str(self.error or ""),
            "error_description": self.description if self.error else "",
            "scope": " ".join(self.scopes),
            "resource_metadata": self.metadata_url,
            "algs": " ".join(PROOF_ALGORITHMS) if self.scheme is Scheme.DPOP else "",
        }
        written = ", ".join(f'{name}="{value}"' for name, value in parameters.items() if value)
        return f"{self.scheme} {written}"
