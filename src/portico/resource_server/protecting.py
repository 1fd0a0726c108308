"""The guard around an application that was mounted: an MCP server of the official SDK, or anything else on ASGI.

Every request is asked for a token before the application hears of it; the holder is put into the scope. What a call
of one tool needs besides is read from the body, as MCP clients of all generations send it.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portico.resource_server.errors import AccessRefused
from portico.resource_server.guarding import Guard

HOLDER_KEY: Final = "portico.token_holder"
MAX_BODY: Final = 4 * 1024 * 1024
"""As much as the official SDK reads of a request (mcp 2.3, `DEFAULT_MAX_REQUEST_BODY_SIZE`)."""
CALL: Final = "tools/call"
SDK_SERVER: Final = "mcp.server"
"""Loaded means that the application can be a server of the SDK, which then hears who calls in its own words."""


class ProtectedApp:
    """An ASGI application behind the guard of a resource."""

    def __init__(
        self, app: ASGIApp, guard: Guard, scopes: Sequence[str], tools: Mapping[str, Sequence[str]]
    ) -> None:
        self._app = app
        self._guard = guard
        self._scopes = scopes
        self._tools = tools

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request of a good token; WebSockets are closed, since no token of theirs could be checked again."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        try:
            receive = await self._admitted(scope, receive)
        except AccessRefused as refused:
            await _answer(refused)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _admitted(self, scope: Scope, receive: Receive) -> Receive:
        """Put the holder into the scope; return what the application reads the body from."""
        holder = await self._guard.admit(scope, self._scopes)
        if self._tools and scope["method"] == "POST":
            body, receive = await _read(receive)
            needed = dict.fromkeys(
                [*self._scopes, *(each for tool in _called(body) for each in self._tools.get(tool, ()))]
            )
            self._guard.check_scopes(scope, holder, tuple(needed))
        scope[HOLDER_KEY] = holder
        if SDK_SERVER in sys.modules:
            from portico.resource_server.mcp_sdk import sdk_user

            scope["user"] = sdk_user(holder)
        return receive


def _answer(refused: AccessRefused) -> JSONResponse:
    document = {"type": "about:blank", "status": refused.status_code, "detail": refused.detail}
    return JSONResponse(document, refused.status_code, refused.headers, media_type="application/problem+json")


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """Return the body, and a `receive` that gives it once more.

    Raises:
        AccessRefused: it is larger than any message (413).
    """
    kept: list[Message] = []
    size_bytes = 0
    while True:
        message = await receive()
        kept.append(message)
        size_bytes += len(message.get("body", b""))
        if size_bytes > MAX_BODY:
            raise AccessRefused(413, "The message is too large")
        if message["type"] != "http.request" or not message.get("more_body", False):
            break
    waiting = iter(kept)

    async def replayed() -> Message:
        return next(waiting, None) or await receive()

    return b"".join(message.get("body", b"") for message in kept), replayed


def _called(body: bytes) -> list[str]:
    """Return the names of the tools that a message calls; several where clients of 2025-03-26 send a batch.

    What is no message at all is left to the application, which refuses it.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return []
    return [
        name for each in (value if isinstance(value, list) else [value]) if (name := _tool(each)) is not None
    ]


def _tool(message: Any) -> str | None:
    if not isinstance(message, dict) or message.get("method") != CALL:
        return None
    parameters = message.get("params")
    name = parameters.get("name") if isinstance(parameters, dict) else None
    return name if isinstance(name, str) else None
