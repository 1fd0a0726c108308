"""Requests that no client library would send, put to the application as a server puts them: a scope and messages."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message

PEER = ("192.0.2.7", 4711)
JSON = {"content-type": "application/json"}

type Fields = Mapping[str, str | bytes] | Sequence[tuple[str | bytes, str | bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the application answered, and the processor time of the whole process until it had."""

    status_code: int
    fields: Sequence[tuple[str, str]]
    content: bytes
    cpu_seconds: float

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.fields)

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        return json.loads(self.content)


async def ask(
    app: ASGIApp,
    method: str,
    target: str,
    *,
    headers: Fields = (),
    body: bytes | Iterable[bytes] = b"",
    host: str | bytes | None = "localhost:8000",
) -> Answer:
    """Send one request; `target` is path and query as they stand on the wire, `body` may come in pieces."""
    path, _, query = target.partition("?")
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    if host is not None:
        pairs.insert(0, ("host", host))
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
        "path": unquote_to_bytes(path).decode("utf-8", "replace"), "raw_path": path.encode("utf-8"),
        "query_string": query.encode("utf-8"), "root_path": "", "scheme": "http", "client": PEER,
        "server": ("localhost", 8000), "headers": [(_bytes(name).lower(), _bytes(value)) for name, value in pairs],
    }  # fmt: skip
    pieces = iter([body] if isinstance(body, bytes) else body)
    messages: list[Message] = []

    async def receive() -> Message:
        piece = next(pieces, None)
        if piece is None:
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.request", "body": piece, "more_body": not isinstance(body, bytes)}

    async def send(message: Message) -> None:
        messages.append(message)

    begun = time.process_time()
    await app(scope, receive, send)
    spent = time.process_time() - begun
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in messages[0]["headers"]]
    content = b"".join(message.get("body", b"") for message in messages[1:])
    return Answer(messages[0]["status"], fields, content, spent)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8")
