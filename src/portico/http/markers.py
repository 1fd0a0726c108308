"""What a route says of itself besides its access: its rate limit, its largest body, whether answers are kept.

Markers are dependencies that do nothing, so that they stand where `public` and `requires` stand, on a route or on a
router: `dependencies=[Depends(public), Depends(limited("sign_in"))]`. They are read once, when the application
starts (`portico.http.routing`), and cost a request nothing.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class LimitClass(StrEnum):
    """By which setting requests are limited; without a marker the method tells write from read."""

    SIGN_IN = "sign_in"
    """Takes or sends a credential: counted by the client's address, before anybody is authenticated."""
    WRITE = "write"
    READ = "read"
    NONE = "none"
    """Not counted: health checks, which a load balancer asks without end."""


@dataclass(frozen=True, slots=True)
class Limited:
    """Marks the class of rate limits."""

    limit_class: LimitClass

    async def __call__(self) -> None:
        """Do nothing: markers are read at the start."""


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """Marks the largest body, in bytes."""

    size_bytes: int

    async def __call__(self) -> None:
        """Do nothing: markers are read at the start."""


@dataclass(frozen=True, slots=True)
class WithoutIdempotency:
    """Marks a write whose answer must not be kept, because it carries credentials."""

    async def __call__(self) -> None:
        """Do nothing: markers are read at the start."""


@dataclass(frozen=True, slots=True)
class ReadsJson:
    """Marks a plain Starlette route whose body is JSON; an API route says so by its parameters."""

    async def __call__(self) -> None:
        """Do nothing: markers are read at the start."""


@dataclass(frozen=True, slots=True)
class OpenToClients:
    """Marks a route that recognises its callers itself, whatever page they stand in."""

    may_read: bool = True
    """Whether scripts of other origins may read the answer."""

    async def __call__(self) -> None:
        """Do nothing: markers are read at the start."""


def limited(limit_class: Literal["sign_in", "write", "read", "none"]) -> Limited:
    """Declare the class of rate limits: `Depends(limited("sign_in"))` for what takes or sends a credential."""
    return Limited(LimitClass(limit_class))


def body_limit(size_bytes: int) -> BodyLimit:
    """Declare the largest body of a route where it is not `settings.http.max_body_bytes`."""
    return BodyLimit(size_bytes)


without_idempotency = WithoutIdempotency()
"""Declare that `Idempotency-Key` is not heard: sign-in, refresh, and whatever else answers with a credential."""

reads_json = ReadsJson()
"""Declare that the body is read and checked before the route is called, as for an API route."""

open_to_clients = OpenToClients()
"""Declare that the caller is nobody to the edge: cookies and bearer tokens are not looked at, and pages of every origin
may call. For the endpoints of protocols, whose requests carry a credential that no browser adds by itself."""

open_to_forms = OpenToClients(may_read=False)
"""The same for what browsers are led to by forms of others: they may send it, no script may read the answer."""

type Marker = Limited | BodyLimit | WithoutIdempotency | ReadsJson | OpenToClients
MARKERS = (Limited, BodyLimit, WithoutIdempotency, ReadsJson, OpenToClients)
