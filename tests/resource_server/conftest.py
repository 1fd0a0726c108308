"""A small API behind a protected resource, and an authorization server elsewhere that does what a test tells it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import parse_qs

import httpx2
import pytest
from fastapi import Depends, FastAPI
from joserfc.jwk import ECKey

from portico.core.settings import OutboundSettings
from portico.oauth.protocol.jose import sign
from portico.resource_server import IntrospectionClient, ProtectedResource, TokenHolder, protected_resource
from portico.testing.clock import FrozenClock
from portico.testing.sinks import HttpSink, Received, answering

API = "https://api.example.com/notes"
SCOPES = {"notes:read": "Read your notes", "notes:write": "Change your notes", "notes:all": "All of it"}
LIMITS = OutboundSettings(allow_loopback=True)
SHORT = OutboundSettings(allow_loopback=True, timeout=timedelta(seconds=0.5))


def key_pair(kid: str) -> dict[str, Any]:
    return dict(ECKey.generate_key("P-256", {"kid": kid}).as_dict(private=True))


KEY, NEXT_KEY, FOREIGN_KEY = key_pair("one"), key_pair("two"), key_pair("one")


def public_half(key: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in key.items() if name != "d"}


@dataclass
class Issuer:
    """The authorization server; `document`, `keys` and `answers` are what it says, `asked` what it was asked."""

    sink: HttpSink
    clock: FrozenClock
    keys: list[Mapping[str, Any]] = field(default_factory=lambda: [KEY])
    changes: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    publish: Callable[[Mapping[str, Any]], Mapping[str, Any]] = public_half

    @property
    def url(self) -> str:
        return self.sink.url.removesuffix("/hook")

    @property
    def asked(self) -> list[str]:
        return [request.path for request in self.sink.received]

    def document(self) -> dict[str, Any]:
        own = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "introspection_endpoint": f"{self.url}/introspect",
        }
        return {**own, **self.changes}

    async def behave(self, request: Received, writer: asyncio.StreamWriter) -> None:
        if request.path == "/.well-known/oauth-authorization-server":
            body = json.dumps(self.document())
        elif request.path == "/jwks":
            body = json.dumps({"keys": [self.publish(key) for key in self.keys]})
        elif request.path == "/introspect":
            token = parse_qs(request.body.decode())["token"][0]
            body = json.dumps(self.answers.get(token, {"active": False}))
        else:
            await answering(404)(request, writer)
            return
        await answering(200, body.encode(), {"Content-Type": "application/json"})(request, writer)

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(self.clock.now().timestamp())
        claims = {
            "iss": self.url, "sub": "ada", "aud": API, "client_id": "editor", "scope": "notes:read",
            "iat": now, "exp": now + 300, "jti": "1",
        }  # fmt: skip
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(
        self, key: Mapping[str, Any] = KEY, *, header: Mapping[str, Any] | None = None, **changes: Any
    ) -> str:
        header = {"typ": "at+jwt", "kid": key["kid"], **(header or {})}
        return sign(self.claims(**changes), key, "ES256", header=header)


@pytest.fixture
async def issuer(clock: FrozenClock) -> AsyncIterator[Issuer]:
    async with HttpSink() as sink:
        issuer = Issuer(sink, clock)
        sink.behaviour = issuer.behave
        yield issuer


type Declaring = Callable[..., ProtectedResource]


@pytest.fixture
def declared(issuer: Issuer, clock: FrozenClock) -> Declaring:
    """Return what declares the resource, with tokens of `issuer`."""

    def make(**given: Any) -> ProtectedResource:
        usual: dict[str, Any] = {
            "scopes": SCOPES,
            "authorization_server": issuer.url,
            "implied": {"notes:all": ["notes:read", "notes:write"]},
            "outbound": LIMITS,
            "clock": clock,
        }
        return protected_resource(given.pop("identifier", API), **{**usual, **given})

    return make


@pytest.fixture
def asking() -> IntrospectionClient:
    return IntrospectionClient("the api", "s3cret&more")


@pytest.fixture
def notes(declared: Declaring) -> ProtectedResource:
    return declared()


def api(resource: ProtectedResource) -> FastAPI:
    """Return an application that knows nothing of Portico but the resource."""
    app = FastAPI()
    app.include_router(resource.router)
    reading, writing = Depends(resource.requires("notes:read")), Depends(resource.requires("notes:write"))

    @app.get("/notes")
    async def read(holder: Annotated[TokenHolder, reading]) -> dict[str, Any]:
        return {
            "sub": holder.sub, "client_id": holder.client_id, "scopes": sorted(holder.scopes),
            "org_id": holder.org_id, "act": holder.act,
        }  # fmt: skip

    @app.post("/notes")
    async def write(holder: Annotated[TokenHolder, writing]) -> str:
        return holder.sub

    return app


class Api:
    """Calls the small API."""

    def __init__(self, resource: ProtectedResource, at: str = "https://api.example.com") -> None:
        transport = httpx2.ASGITransport(app=api(resource), raise_app_exceptions=False)
        self.client = httpx2.AsyncClient(transport=transport, base_url=at)

    async def read(
        self, token: str | None = None, *, scheme: str = "Bearer", **given: Any
    ) -> httpx2.Response:
        headers = {} if token is None else {"Authorization": f"{scheme} {token}".encode()}
        return await self.client.get("/notes", headers={**headers, **given.pop("headers", {})}, **given)


@pytest.fixture
async def small_api(notes: ProtectedResource) -> AsyncIterator[Api]:
    yield Api(notes)
    await notes.close()
