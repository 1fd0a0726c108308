"""A small MCP server with its authorization server on loopback, sound until a test spoils one of its answers."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from portico.testing.sinks import HttpSink, Received, answering

PAGE = {"Content-Type": "text/html; charset=utf-8"}
SIGN_IN = (
    '<title>Sign in</title><form method="post" action="/login"><input type="hidden" name="next" value="x&amp;y">'
    '<input name="username"><input type="password" name="password"><button>Sign in</button></form>'
)
CONSENT = (
    '<form method="post"><input type="hidden" name="csrf" value="c">'
    '<button name="action" value="approve">Yes</button><button name="action" value="deny">No</button></form>'
)


@dataclass(frozen=True)
class Reply:
    """What is answered; a dictionary as JSON."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def without(self, *names: str) -> "Reply":
        return replace(self, body={name: value for name, value in self.body.items() if name not in names})

    def but(self, **members: Any) -> "Reply":
        return replace(self, body={**self.body, **members})

    def headed(self, **headers: str) -> "Reply":
        return replace(self, headers={**self.headers, **headers})


type Spoil = Callable[[Reply], Reply]


def as_it_is(reply: Reply) -> Reply:
    return reply


@dataclass
class World:
    """The two servers in one; `spoil` changes answers by the name of the endpoint."""

    sink: HttpSink
    spoil: dict[str, Spoil] = field(default_factory=dict)
    modern: bool = True
    registered: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    good: str = "first"
    calls: list[dict[str, Any]] = field(default_factory=list)

    @property
    def root(self) -> str:
        return self.sink.url.removesuffix("/hook")

    @property
    def url(self) -> str:
        return f"{self.root}/mcp"

    async def behave(self, request: Received, writer: asyncio.StreamWriter) -> None:
        path, _, query = request.path.partition("?")
        name = (
            path.removeprefix("/.well-known").strip("/").replace("oauth-protected-resource/mcp", "resource")
        )
        name = name.replace("oauth-authorization-server", "server")
        reply: Reply = getattr(self, f"on_{name}", lambda *_: Reply(404))(request, query)
        if reply.status != 404:
            reply = self.spoil.get(name, as_it_is)(reply)
        as_json = not isinstance(reply.body, bytes)
        body = json.dumps(reply.body).encode() if as_json else reply.body
        own = {"Content-Type": "application/json"} if as_json else {}
        await answering(reply.status, body, {**own, **reply.headers})(request, writer)

    def on_mcp(self, request: Received, _: str) -> Reply:
        where = f'resource_metadata="{self.root}/.well-known/oauth-protected-resource/mcp"'
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not token:
            return self._refused("no-token", f'Bearer scope="notes:read", {where}')
        if token != self.good:
            return self._refused("bad-token", f'Bearer error="invalid_token", {where}')
        message = json.loads(request.body) if request.body else {}
        self.calls.append(message)
        return self._served(request, message)

    def _refused(self, kind: str, challenge: str) -> Reply:
        return self.spoil.get(kind, as_it_is)(Reply(401, {}, {"WWW-Authenticate": challenge}))

    def _served(self, request: Received, message: dict[str, Any]) -> Reply:
        if not self.modern and request.headers.get("mcp-protocol-version") == "2026-07-28":
            return Reply(
                400, {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "unknown version"}}
            )
        if message.get("method") == "initialize":
            return Reply(200, {"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": "2025-11-25"}})
        if "id" not in message:
            return Reply(202)
        event = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "read"}]}})
        body = f": hello\n\nevent: message\ndata: {event}\n\n".encode()
        return self.spoil.get("call", as_it_is)(Reply(200, body, {"Content-Type": "text/event-stream"}))

    def on_resource(self, *_: Any) -> Reply:
        return Reply(
            200,
            {"resource": self.url, "authorization_servers": [self.root], "scopes_supported": ["notes:read"]},
        )

    def on_server(self, *_: Any) -> Reply:
        return Reply(
            200,
            {
                "issuer": self.root,
                "authorization_endpoint": f"{self.root}/authorize",
                "token_endpoint": f"{self.root}/token",
                "registration_endpoint": f"{self.root}/register",
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
                "scopes_supported": ["notes:read", "offline_access"],
            },
        )

    def on_register(self, request: Received, _: str) -> Reply:
        self.registered = json.loads(request.body)
        has_secret = self.registered["token_endpoint_auth_method"] != "none"
        secret = {"client_secret": "s3&ret", "client_secret_expires_at": 0} if has_secret else {}
        return Reply(201, {**self.registered, "client_id": "c1", **secret})

    def on_authorize(self, _: Received, query: str) -> Reply:
        self.asked = {name: values[0] for name, values in parse_qs(query).items()}
        return Reply(302, b"", {"Location": "/login?next=1"})

    def on_login(self, request: Received, _: str) -> Reply:
        if request.method == "GET":
            return Reply(200, SIGN_IN.encode(), PAGE)
        self.forms.append(parse_qs(request.body.decode()))
        return Reply(303, b"", {"Location": "/consent", "Set-Cookie": "session=s1; Path=/; HttpOnly"})

    def on_consent(self, request: Received, _: str) -> Reply:
        if request.headers.get("cookie") != "session=s1":
            return Reply(303, b"", {"Location": "/login"})
        if request.method == "GET":
            return Reply(200, CONSENT.encode(), PAGE)
        self.forms.append(parse_qs(request.body.decode()))
        answer = {"code": "code1", "state": self.asked["state"], "iss": self.root}
        answer = self.spoil.get("answer", as_it_is)(Reply(200, answer)).body
        return Reply(303, b"", {"Location": f"{self.asked['redirect_uri']}?{urlencode(answer)}"})

    def on_token(self, request: Received, _: str) -> Reply:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        self.forms.append({name: [value] for name, value in form.items()})
        if form["grant_type"] == "authorization_code":
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if (
                challenge != self.asked["code_challenge"]
                or form["redirect_uri"] != self.asked["redirect_uri"]
            ):
                return Reply(400, {"error": "invalid_grant"})
            return self._tokens("first", "r1")
        if form["refresh_token"] != "r1":
            return Reply(400, {"error": "invalid_grant"})
        self.good = "second"
        return self.spoil.get("refresh", as_it_is)(self._tokens("second", "r2"))

    def _tokens(self, access: str, refresh: str) -> Reply:
        body = {"access_token": access, "token_type": "Bearer", "expires_in": 900, "refresh_token": refresh}
        return Reply(200, body, {"Cache-Control": "no-store"})


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with HttpSink() as sink:
        world = World(sink)
        sink.behaviour = world.behave
        yield world
