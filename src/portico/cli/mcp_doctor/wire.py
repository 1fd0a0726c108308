"""HTTP as the clients speak it: no redirect followed, bounded in time and size.

The gate of `portico.outbound` is not in the way here: who runs the command may reach whatever his machine reaches.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpcore2

from portico.cli.mcp_doctor.findings import Broken
from portico.cli.mcp_doctor.forms import words_of

LIMIT_SECONDS: Final = 30.0
MAX_BYTES: Final = 1_048_576
AGENT: Final = "Portico-Doctor"
EVENTS: Final = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came; names of headers in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return the values of a header that may come several times."""
        return [value for given, value in self.headers if given == name]

    def header(self, name: str) -> str:
        """Return the value of a header, empty where there is none."""
        return next(iter(self.all(name)), "")

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def excerpt(self) -> str:
        """Return the beginning of the body in one line, without what a terminal would obey; of a page its words."""
        is_page = self.header("content-type").startswith("text/html")
        line = " ".join((words_of(self.text) if is_page else self.text).split())[:200]
        return "".join(letter for letter in line if letter.isprintable())

    def json_object(self) -> dict[str, Any] | None:
        """Return the body if it is a JSON object."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


class Wire:
    """The connections of one walk."""

    def __init__(self, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._limit = limit_seconds
        self._pool = httpcore2.AsyncConnectionPool(ssl_context=httpcore2.default_ssl_context())

    async def __aenter__(self) -> Self:
        """Open nothing yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self._pool.aclose()

    async def send(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send a request and return the answer, whatever its status.

        Raises:
            Broken: nobody answers there, or too slowly.
        """
        given = {"User-Agent": AGENT, "Accept-Encoding": "identity", **(headers or {})}
        try:
            async with asyncio.timeout(self._limit):
                return await self._exchange(method, url, given, body)
        except TimeoutError:
            raise Broken(f"{method} {url} gave no answer within {self._limit:g} seconds") from None
        except (
            httpcore2.NetworkError,
            httpcore2.TimeoutException,
            httpcore2.ProtocolError,
            OSError,
        ) as error:
            raise Broken(f"{method} {url} cannot be reached: {_reason(error)}") from None
        except (httpcore2.UnsupportedProtocol, ValueError) as error:
            raise Broken(f"{url} is not a URL that can be called: {error}") from None

    async def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        own = {**headers, "Content-Length": str(len(body))} if body or method == "POST" else headers
        async with self._pool.stream(method, url, headers=list(own.items()), content=body or None) as answer:
            named = tuple(
                (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in answer.headers
            )
            streams = any(name == "content-type" and value.startswith(EVENTS) for name, value in named)
            content = await (_first_message if streams else _whole)(answer.aiter_stream())
            return Answer(answer.status, named, content)


async def _whole(stream: AsyncIterable[bytes]) -> bytes:
    kept = bytearray()
    async for piece in stream:
        kept += piece
        if len(kept) > MAX_BYTES:
            break
    return bytes(kept[:MAX_BYTES])


async def _first_message(stream: AsyncIterable[bytes]) -> bytes:
    """Return the first JSON-RPC answer of a stream of events; the stream itself may never end."""
    kept = bytearray()
    async for piece in stream:
        kept += piece
        for event in bytes(kept).replace(b"\r\n", b"\n").split(b"\n\n")[:-1]:
            message = b"\n".join(line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))
            if b'"result"' in message or b'"error"' in message:
                return message
        if len(kept) > MAX_BYTES:
            break
    return b""


def _reason(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not good ({cause.verify_message})"
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
