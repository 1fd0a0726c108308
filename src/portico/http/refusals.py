"""What the edge refuses before anybody's service is asked, told to whoever keeps it (ASVS 5.0 V16.3.2, V16.3.3).

Told is only what somebody does who is up to something, or whose program is broken: a credential that is none of ours
or good no more, a request that a foreign page caused, one beyond a rate limit. A token that has just expired is none.
Nothing of this is on the way of a request that is let through.
"""

from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

from starlette.types import Scope

from portico.core.errors import RateLimited
from portico.http.authentication import PRINCIPAL_KEY, Principal, Rejection
from portico.http.errors import CsrfTokenInvalid, OriginRefused


class RefusalKind(StrEnum):
    """What was refused, as the trail names it."""

    CREDENTIAL = "request.credential_refused"
    FORGERY = "request.forgery_refused"
    RATE = "request.rate_refused"


ORDINARY: Final = frozenset({"token_expired", "api_key_expired"})
"""Rejections by which a client learns that it is time to refresh."""


class RefusalLog(Protocol):
    """Keeps refusals; must be quick, and never grow with their number."""

    def note(self, kind: RefusalKind, reason: str, who: UUID | None) -> None:
        """Take in one refusal of the request under way, of a caller if he is known."""
        ...


def note_rejection(refusals: RefusalLog | None, rejection: Rejection) -> None:
    """Tell of a credential that was rejected."""
    if refusals is not None and rejection.code not in ORDINARY:
        refusals.note(RefusalKind.CREDENTIAL, rejection.code, None)


def note_error(refusals: RefusalLog | None, error: Exception, scope: Scope) -> None:
    """Tell of a request that ended in an error, if it is one of a kind that is told.

    Of limits only the one of the edge: features that have limits of their own write their own entries.
    """
    if refusals is None:
        return
    principal: Principal | None = scope.get(PRINCIPAL_KEY)
    who = principal.actor_id or principal.id if principal else None
    if isinstance(error, OriginRefused | CsrfTokenInvalid):
        refusals.note(RefusalKind.FORGERY, error.code, who)
    elif type(error) is RateLimited:
        refusals.note(RefusalKind.RATE, error.code, who)
