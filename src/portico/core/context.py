"""What is known of the request, job or command under way, for the trail and the log.

The edge sets it once a request in the task that serves it; services read it and never need it to decide who the
caller is.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from portico.core.ids import PrincipalId


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


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asked for what is done: in whose name, and who acts where that is somebody else."""

    principal_id: PrincipalId
    actor_id: PrincipalId | None = None
    is_later: bool = False
    """It is done by a job, after the request."""


type AskerFinder = Callable[[], Asker | None]

_asker: ContextVar[AskerFinder | None] = ContextVar("portico_asker", default=None)


def current_asker() -> Asker | None:
    """Return who asked for what this task does; None where nobody did, or nobody knows who."""
    find = _asker.get()
    return find() if find is not None else None


def set_current_asker(find: AskerFinder) -> None:
    """Let this task know who asks; `find` is called whenever somebody wants to know, for most never do."""
    _asker.set(find)


def acting_in(principal_id: UUID) -> PrincipalId | None:
    """Return who acts in the name of this principal, where a job does what somebody else asked for in it."""
    asker = current_asker()
    if asker is None or not asker.is_later or asker.principal_id != principal_id:
        return None
    return asker.actor_id
