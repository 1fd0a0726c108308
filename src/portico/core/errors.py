"""Everything that can be refused, as one tree.

    PorticoError                  code             status
    ├── Malformed                 malformed        400
    ├── Unauthenticated           unauthenticated  401
    ├── Forbidden                 forbidden        403
    ├── NotFound                  not_found        404
    ├── Conflict                  conflict         409
    ├── Gone                      gone             410
    ├── PreconditionFailed        precondition_failed 412
    ├── TooLarge                  too_large        413
    ├── Invalid                   invalid          422
    ├── RateLimited               rate_limited     429
    └── Unavailable               unavailable      503

Features derive their own in `<feature>/errors.py`; services raise them, routes do not catch, one handler in
`portico.http` renders them (RFC 9457). An error with `persist=True` leaves a trace: the unit of work that it
leaves commits first and then lets it go on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One thing wrong with one field: `field` is its dotted path in the request."""

    code: str
    message: str
    field: str


class PorticoError(Exception):
    """The root. `detail` is safe to show to the caller; what is not belongs into the log."""

    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong"
    status: ClassVar[int] = 500
    persist: ClassVar[bool] = False

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[FieldFault] = (),
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extensions = dict(extensions or {})


class Malformed(PorticoError):
    """The request cannot be understood."""

    code, title, status = "malformed", "The request cannot be understood", 400


class Unauthenticated(PorticoError):
    """Nobody is signed in, or the credential is no longer good."""

    code, title, status = "unauthenticated", "Sign in to go on", 401


class Forbidden(PorticoError):
    """The caller is known and may not do this."""

    code, title, status = "forbidden", "You may not do this", 403


class NotFound(PorticoError):
    """There is no such thing, or the caller may not know of it."""

    code, title, status = "not_found", "Not found", 404


class Conflict(PorticoError):
    """The state of the thing does not allow this now."""

    code, title, status = "conflict", "This does not fit the present state", 409


class Gone(PorticoError):
    """It was there once: expired, used or withdrawn."""

    code, title, status = "gone", "This is no longer available", 410


class PreconditionFailed(PorticoError):
    """`If-Match` names another version than the present one (RFC 9110, section 13.1.1)."""

    code, title, status = "precondition_failed", "Someone changed this in the meantime", 412


class TooLarge(PorticoError):
    """The body is larger than the route takes."""

    code, title, status = "too_large", "The request is too large", 413


class Invalid(PorticoError):
    """A value is malformed; `errors` names each field."""

    code, title, status = "invalid", "Some values are not valid", 422


class RateLimited(PorticoError):
    """Too many requests or guesses; `retry_after` is in whole seconds, at least 1."""

    code, title, status = "rate_limited", "Too many requests", 429

    def __init__(self, detail: str | None = None, *, retry_after: int = 1, **kwargs: Any) -> None:
        headers = {"Retry-After": str(max(1, retry_after)), **(kwargs.pop("headers", None) or {})}
        super().__init__(detail, headers=headers, **kwargs)
        self.retry_after = max(1, retry_after)


class Unavailable(PorticoError):
    """A part that the request needs is busy or away; worth another try after `retry_after` seconds."""

    code, title, status = "unavailable", "Busy, try again in a moment", 503

    def __init__(self, detail: str | None = None, *, retry_after: int = 1, **kwargs: Any) -> None:
        headers = {"Retry-After": str(max(1, retry_after)), **(kwargs.pop("headers", None) or {})}
        super().__init__(detail, headers=headers, **kwargs)
        self.retry_after = max(1, retry_after)
