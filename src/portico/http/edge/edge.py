"""The edge: what stands around the whole application, as one pure ASGI class."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portico.core.errors import PorticoError
from portico.core.logging import AccessLine
from portico.http.answers import Answers
from portico.http.authentication import Authenticator
from portico.http.edge.addresses import ClientAddresses
from portico.http.edge.deadlines import Deadlines
from portico.http.edge.exchange import Answered, Exchange
from portico.http.edge.forgery import ForgeryCheck
from portico.http.edge.headers import AnswerHeaders
from portico.http.edge.hosts import HostPolicy
from portico.http.edge.limits import RateLimits
from portico.http.edge.origins import OriginPolicy
from portico.http.errors import RequestTimedOut
from portico.http.refusals import RefusalLog
from portico.http.routing import RouteTable

_CLOSED: Message = {"type": "websocket.close", "code": 1008, "reason": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gear:
    """What the edge works with; made once, when the application starts."""

    table: RouteTable
    authenticators: Sequence[Authenticator]
    hosts: HostPolicy
    origins: OriginPolicy
    addresses: ClientAddresses
    limits: RateLimits
    forgery: ForgeryCheck
    headers: AnswerHeaders
    answers: Answers
    refusals: RefusalLog | None
    access_line: AccessLine | None
    public_url: str
    device_cookie: str
    max_header_bytes: int
    max_body_bytes: int
    deadlines: Deadlines


class GearSource(Protocol):
    """Gives the gear once it is ready."""

    def gear(self) -> Gear:
        """Return the gear; made at the first call."""
        ...


class Edge:
    """Passes each request through screen, admit and send, and answers what goes wrong on the way."""

    def __init__(self, app: ASGIApp, source: GearSource) -> None:
        self._app = app
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; lifespan passes untouched."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._connect(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        gear = self._source.gear()
        exchange = Exchange(gear, scope, send)
        try:
            exchange.screen()
            gear.deadlines.begin(exchange)
            receive = await exchange.admit(receive)
            await self._app(scope, receive, exchange.send)
        except Answered as answered:
            await answered.response(scope, receive, exchange.send)
        except asyncio.CancelledError:
            if not _ran_out(exchange):
                raise
            await _fail(exchange, gear, scope, receive, RequestTimedOut())
        except Exception as error:  # noqa: BLE001 - the last resort: answered, and logged by `Answers`
            await _fail(exchange, gear, scope, receive, error)
        finally:
            gear.deadlines.end(exchange)
            exchange.log()

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a WebSocket through from our own pages and listed ones only; the router refuses unknown paths."""
        gear = self._source.gear()
        exchange = Exchange(gear, scope, send)
        try:
            exchange.screen()
            await exchange.admit(receive)
        except (Answered, PorticoError):
            await send(_CLOSED)
            return
        if not gear.origins.may_connect(exchange.headers):
            await send(_CLOSED)
            return
        await self._app(scope, receive, send)


def _ran_out(exchange: Exchange) -> bool:
    """Tell whether it was our own deadline, and nobody else, that cancelled the request."""
    task = asyncio.current_task()
    return exchange.expired and task is not None and task.uncancel() == 0


async def _fail(exchange: Exchange, gear: Gear, scope: Scope, receive: Receive, error: Exception) -> None:
    """Answer an error that nothing inside has answered.

    An answer that has begun cannot be taken back: the error goes on to the server, which logs it and breaks off the
    connection, so that the client does not take half for the whole.
    """
    gear.deadlines.end(exchange)
    if exchange.started:
        raise error
    response = await gear.answers.to_error(Request(scope), error)
    await response(scope, receive, exchange.send)
