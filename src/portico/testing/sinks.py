"""A real HTTP server on loopback that keeps what it is sent and behaves as badly as it is told.

    async with HttpSink() as sink:                     # answers 204
        ... deliver to sink.url ...
        sink.received[0].headers["webhook-id"]

Reaching it needs `PORTICO_OUTBOUND__ALLOW_LOOPBACK=true`.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

type Behaviour = Callable[["Received", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived; names of headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def answering(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Behaviour:
    """Answer with this status."""

    async def behave(_: Received, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return behave


def hanging() -> Behaviour:
    """Take the request and never answer."""

    async def behave(_: Received, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    return behave


def dripping(every: float = 0.02) -> Behaviour:
    """Answer one byte of a header at a time, for ever."""

    async def behave(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(every)

    return behave


def breaking_off(after: int) -> Behaviour:
    """Promise a long body and cut the connection (RST) after so many bytes of the answer."""

    async def behave(_: Received, writer: asyncio.StreamWriter) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + b"x" * 5_000
        writer.write(answer[:after])
        await writer.drain()
        writer.transport.abort()

    return behave


def endless(promised: int = 10_000_000_000) -> Behaviour:
    """Answer 200 with a body of ten gigabytes, as fast as it is taken."""

    async def behave(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % promised)
        for _piece in range(promised // 65_536):
            writer.write(b"x" * 65_536)
            await writer.drain()

    return behave


@dataclass
class HttpSink:
    """The server; change `behaviour` at any time. `connections` counts what arrived, down to an empty connection."""

    behaviour: Behaviour = field(default_factory=lambda: answering(204))
    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    port: int = 0
    connections: int = 0
    received: list[Received] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, self.host, self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, whatever hangs."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """Return the address to deliver to."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{self.host}:{self.port}/hook"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    request = await _read(reader)
                    self.received.append(request)
                    await self.behaviour(request, writer)
        except asyncio.CancelledError:
            pass  # the sink closes: the server would log a cancelled task as a fault
        finally:
            self._tasks.discard(task)
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = start.split(" ", 2)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, path, headers, body)
