"""What an access token must say, whoever vouches for it: a signature, an introspection answer, or our own database."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from portico.oauth.protocol.jose import is_time
from portico.oauth.protocol.refusals import Refused
from portico.oauth.protocol.scopes import read_scope
from portico.resource_server.errors import TokenInvalid
from portico.resource_server.types import TokenFault, TokenHolder

SKEW = timedelta(seconds=60)
"""How far the clock of the authorization server may be ahead of ours."""


class Verifier(Protocol):
    """Says what a token is."""

    async def verify(self, token: str) -> TokenHolder:
        """Return the holder of a good token.

        Raises:
            TokenInvalid: it does not pass here (401).
            ServerUnavailable: nobody can say (503).
        """
        ...


@dataclass(frozen=True, slots=True)
class Demands:
    """What this resource asks of every token; `widen` adds the scopes that others imply."""

    issuer: str
    audience: str
    widen: Callable[[Collection[str]], frozenset[str]]


def holder_of(claims: Mapping[str, Any], demands: Demands, now: datetime) -> TokenHolder:
    """Return whom the claims name (RFC 9068, section 4).

    The audience is this resource and nothing else: a list of several would make the token good for whoever else
    stands in it (RFC 9700, section 2.3).

    Raises:
        TokenInvalid: for another issuer or audience, not good now, or a claim that is missing or of another type.
    """
    if claims.get("iss") != demands.issuer:
        raise TokenInvalid(TokenFault.ISSUER)
    if claims.get("aud") not in (demands.audience, [demands.audience]):
        raise TokenInvalid(TokenFault.AUDIENCE)
    expires_at = _time(claims, "exp")
    if now >= expires_at:
        raise TokenInvalid(TokenFault.EXPIRED)
    for name in ("iat", "nbf"):
        if name in claims and _time(claims, name) > now + SKEW:
            raise TokenInvalid(TokenFault.NOT_YET)
    return TokenHolder(
        issuer=demands.issuer,
        sub=_text(claims, "sub"),
        client_id=_text(claims, "client_id"),
        scopes=demands.widen(_scopes(claims)),
        expires_at=expires_at,
        org_id=_text(claims, "org_id") if "org_id" in claims else None,
        act=_actor(claims),
        claims=claims,
    )


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise TokenInvalid(TokenFault.CLAIMS, name)
    return value


def _time(claims: Mapping[str, Any], name: str) -> datetime:
    value = claims.get(name)
    if not is_time(value):
        raise TokenInvalid(TokenFault.CLAIMS, name)
    return datetime.fromtimestamp(float(value), UTC)  # type: ignore[arg-type]  # a number, as was just seen


def _scopes(claims: Mapping[str, Any]) -> tuple[str, ...]:
    value = claims.get("scope", "")
    if not isinstance(value, str):
        raise TokenInvalid(TokenFault.CLAIMS, "scope")
    try:
        return read_scope(value)
    except Refused:
        raise TokenInvalid(TokenFault.CLAIMS, "scope") from None


def _actor(claims: Mapping[str, Any]) -> Mapping[str, Any] | None:
    actor = claims.get("act")
    if actor is not None and not isinstance(actor, dict):
        raise TokenInvalid(TokenFault.CLAIMS, "act")
    return actor
