"""Clients that ask all the time and write down what they got."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

PATH = "/api/v1/slow"


@dataclass(slots=True)
class Load:
    """What all clients got so far: `200`, another status, or how a connection ended; by method."""

    port: int
    host: str
    pause_seconds: float
    got: Counter[tuple[str, str]] = field(default_factory=Counter)
    is_over: bool = False

    def failed(self, method: str) -> Counter[str]:
        """Return what was no 200."""
        return Counter({what: n for (verb, what), n in self.got.items() if verb == method and what != "200"})

    def served(self, method: str) -> int:
        """Return how many were."""
        return self.got[method, "200"]

    async def client(self, method: str, *, keeps: bool) -> None:
        """Ask again and again, over one connection if `keeps`."""
        open_one: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not self.is_over:
            try:
                open_one = open_one or await asyncio.open_connection("127.0.0.1", self.port)
                status, stays = await self._ask(*open_one, method, keeps=keeps)
            except (OSError, EOFError, ValueError, IndexError) as error:
                status, stays = type(error).__name__, False
            self.got[method, status] += 1
            if not stays and open_one is not None:
                await close(open_one[1])
                open_one = None
            await asyncio.sleep(self.pause_seconds)
        if open_one is not None:
            await close(open_one[1])

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, method: str, *, keeps: bool
    ) -> tuple[str, bool]:
        length = "Content-Length: 0\r\n" if method == "POST" else ""
        kept = "" if keeps else "Connection: close\r\n"
        writer.write(f"{method} {PATH} HTTP/1.1\r\nHost: {self.host}\r\n{length}{kept}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
        if "content-length" in lines:
            await reader.readexactly(int(lines["content-length"]))
        else:
            await reader.read()
        return head.split(" ")[1], keeps and lines.get("connection") != "close" and "content-length" in lines


async def close(writer: asyncio.StreamWriter) -> None:
    """Close a connection, whatever became of it."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def load(
    port: int, host: str, *, clients: int = 16, requests_a_second: float = 200
) -> AsyncIterator[Load]:
    """Let clients ask while the block runs: each second keeps its connection, each fourth one writes."""
    running = Load(port, host, clients / requests_a_second)
    tasks = [
        asyncio.create_task(running.client("POST" if number % 4 < 2 else "GET", keeps=number % 2 == 0))
        for number in range(clients)
    ]
    try:
        yield running
    finally:
        running.is_over = True
        await asyncio.gather(*tasks)
