"""Errors as problem documents (RFC 9457), and how a route documents them.

`describes(EmailTaken, InvitationExpired)` gives the `responses=` of a route; what every route may answer is added to
the document by `portico.http.openapi`.
"""

import http
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from portico.core.errors import (
    FieldFault,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    PorticoError,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from portico.core.masking import harmless_text
from portico.http.errors import InternalError, MalformedJson, MethodNotAllowed, UnsupportedMediaType

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:portico:problem:"
SCHEMA_NAME = "Problem"
MAX_FAULTS = 50
MAX_MESSAGE = 200
PLACES = frozenset({"body", "query", "path", "header", "cookie"})

PROBLEM_SCHEMA: dict[str, Any] = {
    "title": SCHEMA_NAME,
    "description": "A problem document (RFC 9457). `code` is stable; `detail` is for people.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "message", "field"],
                "properties": {
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "field": {"type": "string"},
                },
            },
        },
    },
    "additionalProperties": True,
}

_BY_STATUS: dict[int, type[PorticoError]] = {
    kind.status: kind
    for kind in (
        Malformed, Unauthenticated, Forbidden, NotFound, MethodNotAllowed, TooLarge, UnsupportedMediaType, Invalid,
        Unavailable,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One refusal, ready to be shown as a document or as a page."""

    status: int
    code: str
    title: str
    detail: str
    errors: tuple[FieldFault, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)

    def document(self, request_id: str) -> dict[str, Any]:
        """Return the members of the document."""
        members: dict[str, Any] = {
            **self.extensions,
            "type": TYPE_PREFIX + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
        }
        if self.errors:
            members["errors"] = [
                {"code": fault.code, "message": fault.message, "field": fault.field} for fault in self.errors
            ]
        return members


def problem_of(error: Exception) -> Problem:
    """Return what is told of `error`; of one that is not ours, only that something failed."""
    if isinstance(error, PorticoError):
        return _of_portico(error)
    if isinstance(error, RequestValidationError):
        return _of_portico(_invalid(error))
    if isinstance(error, HTTPException):
        return _of_http(error)
    return _of_portico(InternalError())


def problem_response(problem: Problem, request_id: str) -> Response:
    """Return the answer; ASCII, so that nothing in it can fail to be encoded."""
    body = json.dumps(problem.document(request_id), default=str).encode("ascii")
    return Response(body, status_code=problem.status, headers=dict(problem.headers), media_type=MEDIA_TYPE)


def _of_portico(error: PorticoError) -> Problem:
    return Problem(
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        errors=error.errors,
        headers=error.headers,
        extensions=error.extensions,
    )


def _of_http(error: HTTPException) -> Problem:
    known = _BY_STATUS.get(error.status_code)
    phrase = _phrase(error.status_code)
    own_words = str(error.detail) != phrase
    title = known.title if known else phrase
    return Problem(
        status=error.status_code,
        code=known.code if known else f"http_{error.status_code}",
        title=title,
        detail=str(error.detail) if own_words else title,
        headers=error.headers or {},
    )


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _invalid(error: RequestValidationError) -> PorticoError:
    faults = list(error.errors())
    if any(fault["type"] == "json_invalid" for fault in faults):
        return MalformedJson()
    return Invalid(errors=[_fault(fault) for fault in faults[:MAX_FAULTS]])


def _fault(fault: Mapping[str, Any]) -> FieldFault:
    """Tell what is wrong and where; never what was sent, which may be a secret."""
    message = str(fault["msg"]).removeprefix("Value error, ")
    return FieldFault(
        code=str(fault["type"]),
        message=harmless_text(message)[:MAX_MESSAGE],
        field=dotted(fault["loc"]),
    )


def dotted(location: Iterable[Any]) -> str:
    """Return the dotted path of a field (`address.city`, `items.0.name`), without the part of the request."""
    parts = [str(part) for part in location]
    if len(parts) > 1 and parts[0] in PLACES:
        parts = parts[1:]
    return harmless_text(".".join(parts))[:MAX_MESSAGE]


def describes(*errors: type[PorticoError]) -> dict[int | str, dict[str, Any]]:
    """Return the `responses=` that documents these errors, by status and with an example for each code."""
    described: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        answer = described.setdefault(
            error.status,
            {
                "description": error.title,
                "content": {
                    MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{SCHEMA_NAME}"}, "examples": {}}
                },
            },
        )
        if error.title not in answer["description"]:
            answer["description"] += f"; {error.title.lower()}"
        answer["content"][MEDIA_TYPE]["examples"][error.code] = {"value": example(error)}
    return described


def example(error: type[PorticoError]) -> dict[str, Any]:
    """Return how the document of an error looks."""
    return {
        "type": TYPE_PREFIX + error.code,
        "title": error.title,
        "status": error.status,
        "detail": error.title,
        "code": error.code,
        "request_id": "01932f6e-7c1a-7abc-8def-0123456789ab",
    }
