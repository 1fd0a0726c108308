"""What is known of the request, job or command under way, for the trail and the log.

The edge sets it once a request in the task that serves it; services read it and never need it to decide who the
caller is.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Facts of the request: the client's address as far as it is trusted, what it says of itself."""

    request_id: str
    client_address: str | None = None
    user_agent: str | None = None
    device_cookie: str | None = None
    accept_language: str | None = None


type Facts = RequestContext | Callable[[], RequestContext]

_current: ContextVar[Facts | None] = ContextVar("portico_request_context", default=None)
_NOWHERE = RequestContext(request_id="-")


def current_request() -> RequestContext:
    """Return the request under way; outside of one, a context without facts."""
    facts = _current.get()
    if facts is None:
        return _NOWHERE
    if isinstance(facts, RequestContext):
        return facts
    known = facts()
    _current.set(known)
    return known


def set_current_request(facts: Facts) -> None:
    """Make `facts` the request of this task; given a function, it is asked once, when somebody wants to know.

    Most requests never do, and reading the headers for nothing would be paid by each of them.
    """
    _current.set(facts)
