"""Completes the OpenAPI document: problem documents, what every route may answer, who may call it.

FastAPI describes what stands at a route; this adds what stands around all of them, so that no answer is left
undescribed: limits, bodies that are refused, missing rights.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from portico.core.errors import (
    Invalid,
    Malformed,
    NotFound,
    PorticoError,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from portico.http.access import NotPermitted
from portico.http.errors import (
    CsrfTokenInvalid,
    DuplicateHeader,
    HeadersTooLarge,
    HostRefused,
    IdempotencyInProgress,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    InternalError,
    MalformedJson,
    MalformedRequest,
    OriginRefused,
    UnsupportedMediaType,
    UriTooLong,
)
from portico.http.markers import LimitClass
from portico.http.problems import MEDIA_TYPE, PROBLEM_SCHEMA, SCHEMA_NAME, describes
from portico.http.routing import SAFE_METHODS, BodyKind, RouteEntry, build_route_table

FASTAPI_SCHEMAS = ("HTTPValidationError", "ValidationError")
TOKEN_PATH = "/api/v1/auth/token"
USERINFO_PATH = "/oauth/userinfo"
OPENID = "openid"
"""The scheme of tokens that clients get for what they may know of a person."""
IDEMPOTENCY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again with the same key, the request has one effect and the same answer, for 24 hours. "
    "Without sign-in at least 16 characters.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}
REFUSAL_HEADERS = {
    "429": {
        "Retry-After": ("integer", "Seconds until one more request is let in."),
        "RateLimit": (
            "string",
            "The limit that binds the most: its name, what remains, seconds until it is whole.",
        ),
        "RateLimit-Policy": ("string", "The limits of this route; like RateLimit on every answer."),
    },
    "503": {"Retry-After": ("integer", "Seconds after which another try makes sense.")},
    "401": {"WWW-Authenticate": ("string", "How to authenticate (RFC 6750, section 3).")},
}


def describe_api(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return what makes the document, once; assign it to `app.openapi`."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    return openapi


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        tags=app.openapi_tags,
        servers=app.servers,
        routes=app.routes,
    )
    paths = document.get("paths", {})
    for entry, method in _operations(app):
        operation = paths.get(entry.path, {}).get(method.lower())
        if operation is not None:
            _complete(operation, entry, method)
    _drop_empty_chapters(document)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in FASTAPI_SCHEMAS:
        schemas.pop(name, None)
    schemas[SCHEMA_NAME] = PROBLEM_SCHEMA
    components["securitySchemes"] = _security_schemes(paths)
    components["responses"] = _shared_responses(paths)
    return document


def _drop_empty_chapters(document: dict[str, Any]) -> None:
    operations = [operation for path in document.get("paths", {}).values() for operation in path.values()]
    used = {tag for operation in operations for tag in operation.get("tags", ())}
    document["tags"] = [chapter for chapter in document.get("tags", ()) if chapter["name"] in used]


def _shared_responses(paths: dict[str, Any]) -> dict[str, Any]:
    """Move refusals into components, where every route that answers the same refers to them; return them by name."""
    shared: dict[str, Any] = {}
    for responses in [operation["responses"] for path in paths.values() for operation in path.values()]:
        for status, response in responses.items():
            content = response.get("content", {})
            examples = content[MEDIA_TYPE].get("examples", {}) if content.keys() == {MEDIA_TYPE} else {}
            name = f"{status}_{'_or_'.join(sorted(examples))}"
            if examples and shared.setdefault(name, response) == response:
                responses[status] = {"$ref": f"#/components/responses/{name}"}
    return dict(sorted(shared.items()))


def _operations(app: FastAPI) -> Iterator[tuple[RouteEntry, str]]:
    for entry in build_route_table(app).entries:
        for method in entry.methods:
            if entry.in_schema:
                yield entry, method


def _complete(operation: dict[str, Any], entry: RouteEntry, method: str) -> None:
    responses: dict[str, Any] = operation.setdefault("responses", {})
    is_validated = "422" in responses
    if _is_fastapis(responses.get("422")):
        del responses["422"]
    if is_validated:
        _merge(responses, "422", describes(Invalid)[422])
    for status, described in describes(*_errors(entry, method)).items():
        _merge(responses, str(status), described)
    responses.setdefault("default", describes(InternalError)[500])
    for status in REFUSAL_HEADERS.keys() & responses.keys():
        responses[status]["headers"] = {
            name: {"description": description, "schema": {"type": kind}}
            for name, (kind, description) in REFUSAL_HEADERS[status].items()
        }
    operation["responses"] = dict(sorted(responses.items()))
    if entry.requires:
        operation["security"] = [{"bearer": []}, {"session": []}]
        if not any(needed.permission.is_interactive for needed in entry.requires):
            operation["security"].append({"api_key": []})
        operation["x-permissions"] = [str(needed.permission) for needed in entry.requires]
    if method not in SAFE_METHODS and entry.keeps_answers:
        operation.setdefault("parameters", []).append(IDEMPOTENCY_PARAMETER)
    operation["x-rate-limit"] = entry.class_for(method).value


def _errors(entry: RouteEntry, method: str) -> Iterator[type[PorticoError]]:
    """Yield what the floor itself may answer on this route."""
    yield MalformedRequest
    yield HostRefused
    yield DuplicateHeader
    yield UriTooLong
    yield HeadersTooLarge
    if entry.requires:
        yield Unauthenticated
        yield NotPermitted
    if "{" in entry.path:
        yield NotFound
    if entry.takes is BodyKind.JSON:
        yield MalformedJson
    if entry.takes is BodyKind.FORM:
        yield Malformed
    if entry.takes is not BodyKind.NONE:
        yield UnsupportedMediaType
    if method not in SAFE_METHODS:
        yield TooLarge
        if not entry.is_open_to_clients:
            yield OriginRefused
            yield CsrfTokenInvalid
        if entry.keeps_answers:
            yield IdempotencyKeyInvalid
            yield IdempotencyInProgress
            yield IdempotencyKeyReused
    if entry.class_for(method) is not LimitClass.NONE:
        yield RateLimited
    yield Unavailable


def _is_fastapis(response: dict[str, Any] | None) -> bool:
    schema = (response or {}).get("content", {}).get("application/json", {}).get("schema", {})
    return str(schema.get("$ref", "")).endswith(FASTAPI_SCHEMAS[0])


def _merge(responses: dict[str, Any], status: str, described: dict[str, Any]) -> None:
    """Add errors to what the route says of the same status itself."""
    present = responses.setdefault(status, described)
    if present is described:
        return
    content = present.setdefault("content", {}).setdefault(MEDIA_TYPE, described["content"][MEDIA_TYPE])
    examples = content.setdefault("examples", {})
    for code, example in described["content"][MEDIA_TYPE]["examples"].items():
        examples.setdefault(code, example)


def _security_schemes(paths: Collection[str]) -> dict[str, Any]:
    schemes: dict[str, Any] = {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "at+jwt"},
        "session": {"type": "apiKey", "in": "cookie", "name": "__Host-portico_session"},
        "api_key": {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "`pak_…`, here or as `Authorization: Bearer pak_…`; not both.",
        },
    }
    if USERINFO_PATH in paths:
        schemes[OPENID] = {"type": "openIdConnect", "openIdConnectUrl": "/.well-known/openid-configuration"}
    if TOKEN_PATH in paths:
        flow = {"tokenUrl": TOKEN_PATH, "scopes": {}}
        schemes["bearer"] = {"type": "oauth2", "flows": {"password": flow}}
    return schemes
