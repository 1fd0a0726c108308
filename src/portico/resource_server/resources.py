"""The object that a team declares for its API or MCP server: what it is called, what its scopes mean, who issues its
tokens. Everything else hangs on it: the metadata route, the dependency of routes, the guard around a mounted app.

    notes = protected_resource("https://api.example.com/notes", scopes={"notes:read": "Read your notes"})
    app.include_router(notes.router)

    @app.get("/notes")
    async def list_notes(holder: Annotated[TokenHolder, Depends(notes.requires("notes:read"))]) -> list[Note]: ...

Without `authorization_server` tokens come from the Portico in the same process, and end the moment it ends them. With
the issuer of another, it is found by its metadata, and tokens are verified by its keys, or by asking it.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from portico.core.clock import Clock, SystemClock
from portico.core.settings import OutboundSettings
from portico.feature import Feature
from portico.http.access import public
from portico.http.markers import limited, open_to_clients, without_idempotency
from portico.http.routing import declare
from portico.oauth.services.resources import Resource
from portico.resource_server.declarations import Declaration
from portico.resource_server.guarding import Guard
from portico.resource_server.metadata import metadata_router
from portico.resource_server.protecting import HOLDER_KEY, ProtectedApp
from portico.resource_server.types import IntrospectionClient, TokenHolder
from portico.resource_server.verifying.choosing import Authorities

ROUTE_MARKERS: Final = (public, open_to_clients, without_idempotency, limited("read"))
"""What a Portico around has to know of a guarded application. Whoever calls is nobody to its edge, so that it could
neither tell whose a kept answer is nor count by anything but the address, which users of a hosted client share."""


def protected_resource(
    identifier: str,
    *,
    scopes: Mapping[str, str],
    name: str | None = None,
    authorization_server: str | None = None,
    introspection: IntrospectionClient | None = None,
    requires_dpop: bool = False,
    requires_dpop_nonce: bool = False,
    certificate_header: str | None = None,
    implied: Mapping[str, Collection[str]] | None = None,
    also_at_root: bool = False,
    allowed_hosts: Collection[str] = (),
    allowed_origins: Collection[str] = (),
    outbound: OutboundSettings | None = None,
    clock: Clock | None = None,
) -> "ProtectedResource":
    """Declare a protected resource.

    `identifier` is the URL that clients are given; tokens name it as their audience, byte for byte. `scopes` says of
    each scope in plain words what it allows, `implied` which others it includes.

    Tokens that are bound to a key are checked in any case. With `requires_dpop` others are refused; with
    `requires_dpop_nonce` each proof carries a nonce of ours. `certificate_header` is where a trusted proxy puts the
    client's TLS certificate (RFC 8705); it must strip what comes from outside.

    `also_at_root` serves the metadata at the well-known path without the resource's own, too, for hosts with a single
    resource. `allowed_hosts` and `allowed_origins` are other names under which it is reached, and pages that may call.

    Raises:
        ValueError: a URL that is no identifier, a scope that cannot be one, `offline_access` among the scopes, or
            introspection without the server to ask, or nonces without a Portico in the process.
    """
    declaration = Declaration(
        identifier=identifier,
        scopes=dict(scopes),
        name=name,
        authorization_server=authorization_server,
        introspection=introspection,
        requires_dpop=requires_dpop,
        requires_dpop_nonce=requires_dpop_nonce,
        certificate_header=certificate_header,
        implied=implied or {},
        also_at_root=also_at_root,
        allowed_hosts=allowed_hosts,
        allowed_origins=allowed_origins,
        outbound=outbound or OutboundSettings(),
        clock=clock or SystemClock(),
    )
    return ProtectedResource(declaration)


class ProtectedResource:
    """A declared resource; see `protected_resource`. `router` serves its metadata."""

    def __init__(self, declaration: Declaration) -> None:
        self.declaration = declaration
        self._authorities = Authorities(declaration)
        self._guard = Guard(declaration, self._authorities)
        self.router = metadata_router(declaration, lambda request: self._authorities.of(request.scope).issuer)
        self.router.lifespan_context = self._lifespan

    @property
    def identifier(self) -> str:
        """Return the URL by which tokens name the resource."""
        return self.declaration.identifier

    def requires(self, *scopes: str) -> "RequiresScopes":
        """Return the dependency that lets a token through which is good for all of `scopes`.

        Raises:
            ValueError: one of them was not declared.
        """
        return RequiresScopes(self._guard, self.declaration.known(scopes))

    def protect(
        self,
        app: ASGIApp,
        scopes: Collection[str] = (),
        *,
        tools: Mapping[str, Collection[str]] | None = None,
    ) -> ProtectedApp:
        """Return `app` behind the guard: each request needs a token that is good for `scopes`.

        `tools` says which scopes calls of single MCP tools need besides; a token without them gets a 403 that names
        all of them, by which clients ask for more.

        Raises:
            ValueError: a scope was not declared.
        """
        by_tool = {tool: self.declaration.known(needed) for tool, needed in (tools or {}).items()}
        return ProtectedApp(app, self._guard, self.declaration.known(scopes), by_tool)

    def route(
        self,
        app: ASGIApp,
        scopes: Collection[str] = (),
        *,
        tools: Mapping[str, Collection[str]] | None = None,
    ) -> Route:
        """Return a route at the resource's own path that leads to `app` behind the guard; `router.routes` takes it.

        Raises:
            ValueError: as `protect`.
        """
        return declare(Route(self._path, self.protect(app, scopes, tools=tools)), *ROUTE_MARKERS)

    def feature(
        self,
        name: str,
        app: Starlette,
        scopes: Collection[str] = (),
        *,
        tools: Mapping[str, Collection[str]] | None = None,
    ) -> Feature:
        """Return `app` as a feature of a Portico in the same process, whose tokens it takes.

        It is at the resource's own path, and at the same with a slash at its end, as people type it; it lives as long
        as the server, and is known to the authorization server, which shows its scopes to people in plain words.

        Raises:
            ValueError: as `protect`.
        """
        routes: list[BaseRoute] = [self.route(app, scopes, tools=tools)]
        if not self._path.endswith("/"):
            slashed = self.protect(_Unslashed(app), scopes, tools=tools)
            routes.append(declare(Route(f"{self._path}/", slashed), *ROUTE_MARKERS))
        own = APIRouter(routes=routes)
        return Feature(
            name=name,
            root_routes=[self.router, own],
            contributes={Resource: [self.as_registered()]},
            lifespan=lambda _: _alive(app),
        )

    def as_registered(self) -> Resource:
        """Return the resource as the authorization server in the same process knows it; a feature contributes it."""
        return Resource(
            identifier=self.identifier,
            name=self.declaration.name or "",
            scopes=self.declaration.scopes,
            requires_dpop=self.declaration.requires_dpop,
        )

    async def close(self) -> None:
        """Close the connections to a remote server; where `router` is included, that happens by itself."""
        await self._authorities.close()

    @property
    def _path(self) -> str:
        return urlsplit(self.identifier).path or "/"

    @asynccontextmanager
    async def _lifespan(self, _: object) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.close()


class _Unslashed:
    """An application that hears of no slash at the end of its path: its router would not know it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"].removesuffix("/")
        await self._app({**scope, "path": path, "raw_path": path.encode()}, receive, send)


@asynccontextmanager
async def _alive(app: Starlette) -> AsyncIterator[None]:
    async with app.router.lifespan_context(app):
        yield


class RequiresScopes:
    """Dependency: lets a request through whose token is good for these scopes.

    For a Portico the route counts as public: whoever calls is recognised here, and by no credential of its own. Answers
    are not kept for `Idempotency-Key`, because a kept one is given before the token is looked at.
    """

    def __init__(self, guard: Guard, scopes: tuple[str, ...]) -> None:
        self._guard = guard
        self.scopes = scopes

    async def __call__(
        self,
        request: Request,
        _public: Annotated[None, Depends(public)],
        _kept: Annotated[None, Depends(without_idempotency)],
    ) -> TokenHolder:
        """Return the holder of the token.

        Raises:
            AccessRefused: the request is not served (400, 401, 403, 421, 503).
        """
        holder = await self._guard.admit(request.scope, self.scopes)
        request.scope[HOLDER_KEY] = holder
        return holder


def token_holder(request: HTTPConnection | None) -> TokenHolder:
    """Return whose token a guarded request came with, for code that is called deep inside of a mounted application.

    A tool of the official MCP SDK has the request in its context: `here.request_context.request`.

    Raises:
        LookupError: the request did not pass a guard.
    """
    holder: TokenHolder | None = request.scope.get(HOLDER_KEY) if request is not None else None
    if holder is None:
        raise LookupError("no guard of a protected resource stands in front of this")
    return holder
