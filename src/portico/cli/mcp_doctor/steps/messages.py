"""MCP over HTTP, as little of it as a doctor needs: what is sent, and whether it was answered.

Sources: MCP 2026-07-28 and 2025-11-25, Streamable HTTP.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from portico.cli.mcp_doctor.wire import Answer, Wire

MODERN: Final = "2026-07-28"
HANDSHAKE: Final = "2025-11-25"
_INFO: Final = {"name": "portico-doctor", "version": "1"}
_META: Final = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": _INFO,
}
_ACCEPT: Final = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
_NO_HANDSHAKE_VERSION: Final = frozenset({400, 404, 405, 406, 415, 422, 501})


async def send_call(
    wire: Wire, url: str, method: str, params: Mapping[str, Any], headers: Mapping[str, str]
) -> Answer:
    """Send one call as clients of the newest revision do; no session, everything in the one request."""
    name = {"Mcp-Name": str(params["name"])} if "name" in params else {}
    own = {**_ACCEPT, "MCP-Protocol-Version": MODERN, "Mcp-Method": method, **name, **headers}
    return await wire.send("POST", url, own, _message(method, {**params, "_meta": _META}))


async def send_with_handshake(
    wire: Wire, url: str, method: str, params: Mapping[str, Any], headers: Mapping[str, str]
) -> Answer:
    """Send one call as clients up to 2025-11-25 do, after `initialize`; what refuses that is returned instead."""
    wish = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": _INFO}
    opened = await wire.send("POST", url, {**_ACCEPT, **headers}, _message("initialize", wish))
    if opened.status != 200 or result_of(opened) is None:
        return opened
    session = opened.header("mcp-session-id")
    own = {**_ACCEPT, "MCP-Protocol-Version": _agreed(opened), **headers}
    if session:
        own["Mcp-Session-Id"] = session
    note = json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}).encode()
    await wire.send("POST", url, own, note)
    return await wire.send("POST", url, own, _message(method, params))


def result_of(answer: Answer) -> Mapping[str, Any] | None:
    """Return the result of a JSON-RPC answer, or None if it is an error or none at all."""
    result = (answer.json_object() or {}).get("result")
    return result if isinstance(result, dict) else None


def error_of(answer: Answer) -> str | None:
    """Return the message of a JSON-RPC error."""
    error = (answer.json_object() or {}).get("error")
    return str(error.get("message", "")) if isinstance(error, dict) else None


def speaks_no_modern(answer: Answer) -> bool:
    """Tell whether the server did not understand the newest revision; a refusal of the token is no such thing."""
    return answer.status in _NO_HANDSHAKE_VERSION or (answer.status == 200 and error_of(answer) is not None)


def _agreed(opened: Answer) -> str:
    return str((result_of(opened) or {}).get("protocolVersion", HANDSHAKE))


def _message(method: str, params: Mapping[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
