"""Calls the route that the table found, in place of a walk through all routers.

FastAPI 0.137 and later matches a request against the routes of each included router twice, which costs more than a
small route itself; here it is one look into a dictionary. What is asked of every route stands here, too, in its
order: permission, then the body, then `Idempotency-Key`. Paths that the table does not know (mounts, static
front ends) go to FastAPI's own router.
"""

from typing import Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from portico.http.bodies import Replayed, check_form_body, check_json_body, read_body
from portico.http.errors import MethodNotAllowed, UnsupportedMediaType
from portico.http.idempotency import HEADER as IDEMPOTENCY_HEADER, AnswerKeeper
from portico.http.routing import SAFE_METHODS, BodyKind, Found, RouteEntry, RouteTable

FOUND_KEY: Final = "portico.found"
PLAIN_ENCODINGS: Final = frozenset({b"", b"identity"})


class Dispatcher:
    """The innermost ASGI application: permission, body, idempotency, route."""

    def __init__(self, router: APIRouter, table: RouteTable, keeper: AnswerKeeper) -> None:
        self._router = router
        self._walk: ASGIApp = router.app
        self._table = table
        self._keeper = keeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the route of the request.

        Raises:
            MethodNotAllowed: the path has other methods (405).
            Unauthenticated, NotPermitted: the route is closed to the caller (401, 403).
            Malformed, UnsupportedMediaType, Invalid: the body is none that the route reads (400, 415, 422).
        """
        if scope["type"] != "http":
            await self._walk(scope, receive, send)
            return
        found: Found = scope.get(FOUND_KEY) or self._table.find(scope["method"], scope["path"])
        entry = found.entry
        if entry is None:
            if found.allowed:
                raise MethodNotAllowed(headers={"Allow": ", ".join(found.allowed)})
            await self._walk(scope, receive, send)
            return
        if entry.requires:
            scope["path_params"] = dict(found.params)
            await _check_access(entry, scope)
        if scope["method"] in SAFE_METHODS:
            await self._call(found, scope, receive, send)
            return
        receive = await _checked_body(entry, scope, receive)
        key = _header(scope, IDEMPOTENCY_HEADER)
        if key is None or not entry.keeps_answers:
            await self._call(found, scope, receive, send)
            return

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self._call(found, scope, receive, send)

        await self._keeper(app, entry.path, scope, receive, send, key)

    async def _call(self, found: Found, scope: Scope, receive: Receive, send: Send) -> None:
        entry = found.entry
        if entry is None or entry.app is None or "fastapi.telemetry" in scope:
            await self._walk(scope, receive, send)
            return
        scope["router"] = self._router
        scope["route"] = entry.route
        scope["endpoint"] = entry.endpoint
        scope["path_params"] = dict(found.params)
        await entry.app(scope, receive, send)


async def _check_access(entry: RouteEntry, scope: Scope) -> None:
    request = Request(scope)
    for needed in entry.requires:
        await needed(request)


async def _checked_body(entry: RouteEntry, scope: Scope, receive: Receive) -> Receive:
    """Read and check the body of a route that declares one; return what the route reads it from."""
    if entry.takes not in {BodyKind.JSON, BodyKind.FORM}:
        return receive
    if _header(scope, b"content-encoding") not in {None, *PLAIN_ENCODINGS}:
        raise UnsupportedMediaType("Send the body without Content-Encoding.")
    body = await read_body(receive)
    if body is None:
        raise HTTPException(400)
    if body:
        content_type = (_header(scope, b"content-type") or b"").decode("latin-1")
        check = check_json_body if entry.takes is BodyKind.JSON else check_form_body
        check(content_type, body)
    return Replayed(body, receive)


def _header(scope: Scope, name: bytes) -> bytes | None:
    return next((value for given, value in scope["headers"] if given == name), None)
