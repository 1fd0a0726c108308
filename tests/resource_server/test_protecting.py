"""A mounted MCP server of the official SDK behind the guard, called by the official client and by hand."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware, get_access_token
from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import TextContent
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse

from portico.resource_server import ProtectedResource, token_holder
from portico.resource_server.protecting import MAX_BODY
from tests.resource_server.conftest import Declaring, Issuer

pytestmark = pytest.mark.anyio

URL = "https://api.example.com/mcp"
METADATA = "https://api.example.com/.well-known/oauth-protected-resource/mcp"
TOOLS = {"write": ["notes:write"]}
ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


@pytest.fixture
def resource(declared: Declaring) -> ProtectedResource:
    return declared(identifier=URL)


def mcp_app(*, stateless: bool = True) -> Starlette:
    server: MCPServer[Any] = MCPServer("test")

    @server.tool()
    async def read(here: Context[Any, Any]) -> str:
        return token_holder(here.request_context.request).sub

    @server.tool()
    async def write(here: Context[Any, Any]) -> str:
        told = get_access_token()
        return f"{told.subject} by {told.client_id}" if told else "nobody"

    security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    return server.streamable_http_app(
        stateless_http=stateless, json_response=True, transport_security=security
    )


@asynccontextmanager
async def served(resource: ProtectedResource, *, stateless: bool = True) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve the MCP server at the resource's path, as any Starlette application would."""
    app = mcp_app(stateless=stateless)
    guarded = resource.route(AuthContextMiddleware(app), ["notes:read"], tools=TOOLS)
    transport = httpx2.ASGITransport(app=Starlette(routes=[guarded]))
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport) as client:
        yield client
    await resource.close()


async def called(http: httpx2.AsyncClient, tool: str, *, mode: str = "auto") -> str:
    async with Client(streamable_http_client(URL, http_client=http), mode=mode) as client:
        result = await client.call_tool(tool, {})
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def call(*tools: str, batch: bool = False) -> bytes:
    messages = [
        {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
        for number, tool in enumerate(tools)
    ]
    return json.dumps(messages if batch else messages[0]).encode()


async def sent(
    http: httpx2.AsyncClient, body: bytes, token: str | None = None, **headers: str
) -> httpx2.Response:
    own = {} if token is None else {"Authorization": f"Bearer {token}"}
    return await http.post(URL, content=body, headers={**ACCEPT, **own, **headers})


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28", "auto"])
async def test_tools_learn_who_calls(resource: ProtectedResource, issuer: Issuer, mode: str) -> None:
    async with served(resource) as http:
        http.headers["Authorization"] = f"Bearer {issuer.token(aud=URL, scope='notes:all')}"

        assert await called(http, "read", mode=mode) == "ada"


async def test_sdk_learns_who_calls_and_not_by_what(resource: ProtectedResource, issuer: Issuer) -> None:
    async with served(resource) as http:
        http.headers["Authorization"] = f"Bearer {issuer.token(aud=URL, scope='notes:all')}"

        assert await called(http, "write", mode="2026-07-28") == "ada by editor"


@pytest.mark.bar("A30-30.20", "A30-30.21", "A30-30.24")
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT", "HEAD"])
async def test_nothing_is_served_without_a_token(resource: ProtectedResource, method: str) -> None:
    async with served(resource) as http:
        answer = await http.request(method, URL)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (
        401,
        f'Bearer scope="notes:read", resource_metadata="{METADATA}"',
    )


@pytest.mark.bar("A30-30.23")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (call("read"), 200),
        (call("write"), 403),
        (call("read", "write", batch=True), 403),
        (call("read").replace(b"tools/call", b"tools/list"), 200),
        (b"no JSON", 400),
        (b"[" * 5000, 400),
    ],
    ids=["open tool", "closed tool", "batch", "another method", "no JSON", "deep"],
)
async def test_tool_that_needs_more(
    resource: ProtectedResource, issuer: Issuer, body: bytes, status: int
) -> None:
    async with served(resource) as http:
        answer = await sent(http, body, issuer.token(aud=URL))

    assert answer.status_code == status
    if status == 403:
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
        assert 'scope="notes:read notes:write"' in answer.headers["www-authenticate"]


async def test_header_does_not_hide_the_tool(resource: ProtectedResource, issuer: Issuer) -> None:
    async with served(resource) as http:
        answer = await sent(
            http, call("write"), issuer.token(aud=URL), **{"Mcp-Name": "read", "Mcp-Method": "tools/call"}
        )

    assert answer.status_code == 403


async def test_endless_message_is_cut_off(resource: ProtectedResource, issuer: Issuer) -> None:
    guarded = resource.protect(PlainTextResponse("served"), tools=TOOLS)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=guarded)) as http:
        answers = [await sent(http, b" " * size, issuer.token(aud=URL)) for size in (MAX_BODY, MAX_BODY + 1)]
    await resource.close()

    assert [answer.status_code for answer in answers] == [200, 413]


@pytest.mark.bar("A30-30.22")
async def test_token_for_another_resource(resource: ProtectedResource, issuer: Issuer) -> None:
    async with served(resource) as http:
        assert (await sent(http, call("read"), issuer.token())).status_code == 401


@pytest.mark.bar("A30-30.24")
async def test_session_belongs_to_whoever_opened_it(resource: ProtectedResource, issuer: Issuer) -> None:
    opening = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    async with served(resource, stateless=False) as http:
        opened = await sent(http, json.dumps(opening).encode(), issuer.token(aud=URL))
        session = {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
        own = await sent(http, call("read"), issuer.token(aud=URL), **session)
        without = await sent(http, call("read"), **session)
        foreign = await sent(http, call("read"), issuer.token(aud=URL, sub="eve"), **session)

    assert [each.status_code for each in (own, without, foreign)] == [200, 401, 404]


async def test_websockets_are_closed(resource: ProtectedResource) -> None:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    await resource.protect(mcp_app())({"type": "websocket", "headers": []}, receive, send)

    assert messages == [{"type": "websocket.close", "code": 1008, "reason": ""}]


async def test_holder_is_not_guessed() -> None:
    from starlette.requests import Request

    with pytest.raises(LookupError):
        token_holder(Request({"type": "http"}))
