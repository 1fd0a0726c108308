"""A closed-loop HTTP/1.1 load generator: keep-alive connections, each with one request in flight.

Written on asyncio protocols (about 15 µs a request), so that it stays ahead of the server on the other core.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from statistics import quantiles
from urllib.parse import urlencode

FORM = "application/x-www-form-urlencoded"

type Script = Callable[[int, "Answer | None"], bytes]
"""Given the number of the connection and its last answer, the next request's bytes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response: status and body."""

    status: int
    body: bytes


@dataclass(slots=True)
class Result:
    """What a run measured; latencies in seconds."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    cpu_microseconds: float = 0.0

    @property
    def rate(self) -> float:
        """Return answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, rank: int) -> float:
        """Return the latency in milliseconds that `rank` percent of the answers kept."""
        if len(self.latencies) < 2:
            return float("nan")
        return quantiles(self.latencies, n=100)[rank - 1] * 1000


class Connection(asyncio.Protocol):
    """One connection that sends the next request as soon as the last answer is whole."""

    def __init__(self, number: int, script: Script, result: Result, stop_at: float) -> None:
        self.number = number
        self.script = script
        self.result = result
        self.stop_at = stop_at
        self.done = asyncio.get_running_loop().create_future()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # a TCP transport
        self._send(None)

    def _send(self, last: Answer | None) -> None:
        self.sent_at = time.perf_counter()
        self.transport.write(self.script(self.number, last))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _content_length(self.buffer[:end])
        if len(self.buffer) < end + 4 + length:
            return
        now = time.perf_counter()
        answer = Answer(int(self.buffer[9:12]), self.buffer[end + 4 : end + 4 + length])
        self.buffer = b""
        self.result.latencies.append(now - self.sent_at)
        self.result.statuses[answer.status] += 1
        if now < self.stop_at:
            self._send(answer)
        else:
            self.script(self.number, answer)  # not sent: it keeps what the next round has to know
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.result.statuses[0] += 1
            self.done.set_result(None)

    def _finish(self) -> None:
        self.done.set_result(None)
        self.transport.close()


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    if at < 0:
        return 0
    end = head.find(b"\r\n", at)
    return int(head[at + 15 : end if end > 0 else None])


def _given(protocol: Connection) -> Connection:
    return protocol


async def run(port: int, script: Script, *, connections: int = 16, seconds: float = 3.0) -> Result:
    """Load `127.0.0.1:port` for `seconds` and return what was measured."""
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    result = Result(seconds)
    protocols = []
    for number in range(connections):
        protocol = Connection(number, script, result, started + seconds)
        await loop.create_connection(partial(_given, protocol), "127.0.0.1", port)
        protocols.append(protocol)
    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*(protocol.done for protocol in protocols))
    result.seconds = time.perf_counter() - started
    return result


def request(
    port: int, method: str, path: str, *, token: str | None = None, body: bytes | None = None
) -> bytes:
    """Return the bytes of a request; `body` is JSON."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: localhost:{port}", "Accept: application/json"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def form(port: int, path: str, fields: Mapping[str, str], *, authorization: str) -> bytes:
    """Return the bytes of a form that is posted with an `Authorization` header."""
    body = urlencode(fields).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: localhost:{port}",
        "Accept: application/json",
        f"Authorization: {authorization}",
        f"Content-Type: {FORM}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
