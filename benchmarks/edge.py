"""What the edge adds to a request, in microseconds of CPU, without network: `python -m benchmarks.edge`.

The same ASGI application is called bare and inside the edge, in alternating rounds; the medians are compared. The
log line goes to the null device, counters are in memory, the caller is found by an authenticator that costs nothing.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

from fastapi import FastAPI
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portico.composition import compose
from portico.core.ids import PrincipalId
from portico.core.logging import access_line
from portico.core.settings import Settings
from portico.http.access import public
from portico.http.application import HttpFloor, install_http
from portico.http.authentication import CredentialKind, Principal, PrincipalKind
from portico.http.edge import Edge
from portico.http.edge.edge import Gear
from portico.http.routing import declare

ROUNDS, REQUESTS = 15, 2_000
PERSON = Principal(
    id=PrincipalId(UUID("01932f6e-7c1a-7abc-8def-000000000001")),
    kind=PrincipalKind.USER,
    credential=CredentialKind.BEARER,
)
HEADERS = [
    (b"host", b"localhost:8000"),
    (b"user-agent", b"benchmark/1.0 (a browser would send more than this)"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip"),
    (b"authorization", b"Bearer " + b"x" * 400),
    (b"connection", b"keep-alive"),
]
START: Message = {"type": "http.response.start", "status": 200}
BODY: Message = {"type": "http.response.body", "body": b'{"name":"open"}'}


class Known:
    """Finds the same person at once."""

    async def authenticate(self, scope: Scope, headers: Mapping[str, str]) -> Principal:
        headers.get("authorization")
        return PERSON


async def endpoint(_request: object) -> Response:
    return Response()


async def bare(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({**START, "headers": [(b"content-length", b"15"), (b"content-type", b"application/json")]})
    await send(BODY)


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Message) -> None:
    pass


def scope() -> Scope:
    return {
        "type": "http",
        "method": "GET",
        "path": "/api/v1/users/me",
        "raw_path": b"/api/v1/users/me",
        "query_string": b"",
        "root_path": "",
        "headers": HEADERS,
        "client": ("192.0.2.7", 4711),
    }


class Fixed:
    """Gives one gear."""

    def __init__(self, gear: Gear) -> None:
        self._gear = gear

    def gear(self) -> Gear:
        return self._gear


def floor_of(folder: str, **given: Any) -> HttpFloor:
    settings = Settings(environment="test", data_dir=Path(folder), logging={"format": "json"}, **given)
    runtime = compose(settings, [])
    app = FastAPI(openapi_url=None)
    app.state.runtime = runtime
    app.router.routes.append(declare(Route("/api/v1/users/me", endpoint), public))
    return install_http(app, runtime, authenticators=[lambda _: Known()])


async def microseconds(app: ASGIApp) -> float:
    begun = time.process_time()
    for _ in range(REQUESTS):
        await app(scope(), receive, send)
    return (time.process_time() - begun) / REQUESTS * 1e6


def nothing() -> TextIO:
    return Path(os.devnull).open("w", encoding="ascii")


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder, nothing() as nowhere:
        plenty = {"read": "100000000/minute 100000000/hour 100000000/day"}
        whole = floor_of(folder, rate_limit=plenty).gear()
        whole = replace(whole, access_line=access_line(Settings(logging={"format": "json"}), nowhere))
        unlimited = floor_of(folder, rate_limit={"enabled": False}).gear()
        variants: dict[str, ASGIApp] = {
            "bare": bare,
            "edge": Edge(bare, Fixed(whole)),
            "edge, no access line": Edge(bare, Fixed(replace(whole, access_line=None))),
            "edge, no limits": Edge(bare, Fixed(replace(unlimited, access_line=whole.access_line))),
        }
        figures: dict[str, list[float]] = {name: [] for name in variants}
        for _ in range(ROUNDS):
            for name, app in variants.items():
                figures[name].append(await microseconds(app))
    base = statistics.median(figures["bare"])
    for name, values in figures.items():
        median, best = statistics.median(values) - base, min(values) - min(figures["bare"])
        print(f"{name:<22} {median:6.1f} µs added   (best {best:.1f})")


if __name__ == "__main__":
    if sys.platform != "win32":
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())
