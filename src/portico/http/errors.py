"""What the HTTP floor itself refuses.

PorticoError
├── MethodNotAllowed      405    UriTooLong             414
├── UnsupportedMediaType  415    HeadersTooLarge        431
├── InternalError         500
├── Malformed             400
│   ├── MalformedJson, DuplicateHeader, HostRefused, CursorInvalid, IdempotencyKeyInvalid
├── Forbidden             403
│   ├── OriginRefused, CsrfTokenInvalid
├── Conflict              409
│   └── IdempotencyInProgress
├── Invalid               422
│   └── IdempotencyKeyReused
└── Unavailable           503
    └── RequestTimedOut, NotReady
"""

from portico.core.errors import Conflict, Forbidden, Invalid, Malformed, PorticoError, Unavailable


class MethodNotAllowed(PorticoError):
    """The path has other methods; `Allow` names them (RFC 9110, section 15.5.6)."""

    code, title, status = "method_not_allowed", "This method is not supported here", 405


class UriTooLong(PorticoError):
    """Path and query together are longer than any of ours."""

    code, title, status = "uri_too_long", "The address is too long", 414


class UnsupportedMediaType(PorticoError):
    """The body is of a kind that the route does not read (ASVS 5.0 V3.5.2)."""

    code, title, status = "unsupported_media_type", "The body is of a kind that is not read here", 415


class HeadersTooLarge(PorticoError):
    """The request's headers are too many or too large (RFC 6585, section 5)."""

    code, title, status = "headers_too_large", "The request's headers are too large", 431


class InternalError(PorticoError):
    """What is answered when something of ours failed; the log has the rest."""


class MalformedJson(Malformed):
    """The body is no JSON, or JSON that two parsers would read in two ways."""

    code, title = "malformed_json", "The body is not valid JSON"


class MalformedRequest(Malformed):
    """The request line or a header breaks the grammar of HTTP."""

    code = "malformed_request"


class DuplicateHeader(Malformed):
    """A header that may stand once stands twice."""

    code, title = "duplicate_header", "A header is given more than once"


class HostRefused(Malformed):
    """The `Host` header is missing, malformed or not ours."""

    code, title = "host_refused", "This host name is not served here"


class CursorInvalid(Malformed):
    """The cursor was changed, or belongs to another list, order or filter."""

    code, title = "cursor_invalid", "This cursor does not belong to this list"


class IdempotencyKeyInvalid(Malformed):
    """The `Idempotency-Key` is empty, too long, too short for an anonymous caller, or holds odd characters."""

    code, title = "idempotency_key_invalid", "This Idempotency-Key cannot be used"


class IdempotencyKeyReused(Invalid):
    """The `Idempotency-Key` came before, with another request."""

    code, title = "idempotency_key_reused", "This Idempotency-Key was used for another request"


class IdempotencyInProgress(Conflict):
    """A request with the same `Idempotency-Key` is still under way."""

    code, title = "idempotency_in_progress", "The first request with this Idempotency-Key is still under way"


class OriginRefused(Forbidden):
    """A browser sent the request from a page of another origin."""

    code, title = "origin_refused", "This request came from another site"


class CsrfTokenInvalid(Forbidden):
    """The request is authenticated by cookie and carries no good token against forgery."""

    code, title = "csrf_token_invalid", "The form has expired, load the page again"


class RequestTimedOut(Unavailable):
    """The request took longer than allowed and was cancelled."""

    code, title = "request_timed_out", "This took too long, try again"


class NotReady(Unavailable):
    """The process cannot serve: its database is away or of another version."""

    code, title = "not_ready", "Not ready to serve"
