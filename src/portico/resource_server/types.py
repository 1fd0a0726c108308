"""Words of the resource server: whom a token stands for, and by what name we ask about tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

LONGEST_ANSWER_AGE = timedelta(minutes=1)


class Scheme(StrEnum):
    """How a token was presented (RFC 6750, section 2.1; RFC 9449, section 7.1)."""

    BEARER = "Bearer"
    DPOP = "DPoP"


class TokenFault(StrEnum):
    """Why a token does not pass; for the log, the client learns less."""

    NO_TOKEN_OF_OURS = "no_token_of_ours"
    EXPIRED = "expired"
    NOT_YET = "not_yet_valid"
    ISSUER = "wrong_issuer"
    AUDIENCE = "wrong_audience"
    CLAIMS = "bad_claims"
    ENDED = "ended"
    BINDING = "wrong_sender"


@dataclass(frozen=True, slots=True)
class IntrospectionClient:
    """As whom we ask the authorization server about tokens (RFC 7662), and how long an answer is believed.

    A token that was revoked passes for at most `believed_for`; none, and every request asks.

    Raises:
        ValueError: longer than a minute.
    """

    client_id: str
    secret: str = field(repr=False)
    believed_for: timedelta = timedelta(seconds=10)

    def __post_init__(self) -> None:
        if not timedelta(0) <= self.believed_for <= LONGEST_ANSWER_AGE:
            raise ValueError("believed_for is between nothing and a minute")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenHolder:
    """Whom an access token stands for, and what it is good for at this resource.

    `sub` names the person, or the client itself where there is none; it is unique within `issuer` only. `scopes` are
    those of the token and what they imply. `org_id` is the organization in which the grant was given, `act` who acts
    for `sub` (RFC 8693, section 4.1).
    """

    issuer: str
    sub: str
    client_id: str
    scopes: frozenset[str]
    expires_at: datetime
    org_id: str | None = None
    act: Mapping[str, Any] | None = None
    claims: Mapping[str, Any] = field(repr=False)

    @property
    def is_client(self) -> bool:
        """Tell whether the client acts for itself: nobody signed in (RFC 9068, section 2.2)."""
        return self.sub == self.client_id

    def has(self, *scopes: str) -> bool:
        """Tell whether the token is good for all of `scopes`."""
        return self.scopes.issuperset(scopes)
