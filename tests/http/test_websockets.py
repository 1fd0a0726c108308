"""WebSockets pass the edge only where a route waits for them, and only from our own pages."""

from typing import Any

import pytest
from fastapi import APIRouter
from starlette.websockets import WebSocket

from portico.http.authentication import PRINCIPAL_KEY
from portico.runtime import Runtime
from tests.http.shop import shop_app

router = APIRouter()


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    await socket.accept()
    principal = socket.scope.get(PRINCIPAL_KEY)
    await socket.send_text(str(principal.id) if principal else "anonymous")
    await socket.close()


async def opened(runtime: Runtime, path: str, **headers: str) -> list[Any]:
    app, _ = shop_app(runtime, routers=[router])
    messages: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        messages.append(message)

    given = {"host": "localhost:8000", **headers}
    scope = {
        "type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()], "client": ("192.0.2.7", 1),
        "subprotocols": [], "scheme": "ws", "server": ("localhost", 8000),
    }  # fmt: skip
    await app(scope, receive, send)
    return [message["type"] for message in messages] + [
        message["text"] for message in messages if "text" in message
    ]


@pytest.mark.bar("ASVS-4.4.2")
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.test"},
        {"origin": "null"},
        {"host": "evil.test"},
        {"origin": "http://localhost:8001"},
    ],
)
async def test_socket_of_a_foreign_page_is_refused(runtime: Runtime, headers: dict[str, str]) -> None:
    assert await opened(runtime, "/api/v1/live", **headers) == ["websocket.close"]


async def test_socket_without_a_route_is_refused(runtime: Runtime) -> None:
    assert await opened(runtime, "/api/v1/nowhere") == ["websocket.close"]
    assert await opened(runtime, "/") == ["websocket.close"]


@pytest.mark.bar("ASVS-4.4.3")
async def test_socket_of_our_own_page_knows_who_opened_it(runtime: Runtime) -> None:
    own = await opened(runtime, "/api/v1/live", origin="http://localhost:8000", authorization="Bearer ada")
    anonymous = await opened(runtime, "/api/v1/live")

    assert own[-1] == "01932f6e-7c1a-7abc-8def-000000000001"
    assert anonymous[-1] == "anonymous"
