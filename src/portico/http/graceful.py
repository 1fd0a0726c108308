"""Ending without failing a request: what `portico serve` does on SIGTERM.

1. For `PORTICO_HTTP__DRAIN` everything is served as before, but `/health/ready` says 503, so that a balancer takes the
   node out, and every answer carries `Connection: close`, so that kept connections end with an answer and not between
   two. Whoever keeps idle connections for a shorter time than this never meets one that is being closed.
2. The kernel lets nobody new in; those whom it has let in are accepted.
3. The port is closed, requests under way end, and so does the application.

Closing the port alone would reset connections that the kernel has completed and nobody has accepted yet, and closing
an idle connection may cross a request on its way: both are failures that a proxy must not try again for a POST.
"""

import asyncio
import ctypes
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import structlog
import uvicorn

from portico.http.draining import DRAINING

log = structlog.get_logger("portico.http")

TICK_SECONDS: Final = 0.1
SETTLE_SECONDS: Final = 0.05
"""How long what the kernel has let in may take to arrive here."""
FIRST_REQUEST_SECONDS: Final = 1.0
"""How long a connection that has just come may take to say what it wants."""
CLOSE: Final = (b"connection", b"close")

SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h; Python does not name it
NO_NEW_CONNECTIONS: Final = (
    (0x30, 0, 0, 13),  # load the byte of the TCP header that holds the flags
    (0x54, 0, 0, 0x12),  # keep SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN without ACK: somebody new
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFF_FFFF),  # take
)
"""A classic packet filter, as `linux/filter.h` has it: code, jump if true, jump if false, operand."""


def let_nobody_in(listener: socket.socket) -> None:
    """Drop the first packet of every new connection, so that the queue of those let in can be emptied (Linux).

    Who knocks meanwhile knocks again after a second, and finds the port closed or somebody else behind it.
    """
    if sys.platform != "linux":
        return
    program = b"".join(struct.pack("HBBI", *step) for step in NO_NEW_CONNECTIONS)
    held = ctypes.create_string_buffer(program)
    with suppress(OSError):  # then a few connections may be reset, as everywhere else
        length = len(NO_NEW_CONNECTIONS)
        listener.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", length, ctypes.addressof(held))
        )


class GracefulConfig(uvicorn.Config):
    """Uvicorn's settings, and how this server ends."""

    drain_seconds: float = 0.0
    shares_listener: bool = False
    """Others accept from the same socket and go on: then it is not ours to let nobody in."""


class GracefulServer(uvicorn.Server):
    """Drains on SIGTERM; on SIGINT (Ctrl-C) it ends as soon as requests under way have."""

    config: GracefulConfig
    _is_draining = False

    async def on_tick(self, counter: int) -> bool:
        """Do what uvicorn does ten times a second; while draining, its headers say `Connection: close`."""
        is_over = await super().on_tick(counter)
        headers = self.server_state.default_headers
        if self._is_draining and CLOSE not in headers:
            self.server_state.default_headers = [*headers, CLOSE]
        return is_over

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take the node out, close the door behind the last who came in, then stop."""
        await self._drain(self.config.drain_seconds if self._was_asked_kindly else 0.0)
        await self._close_door(sockets or [])
        await super().shutdown(sockets)

    @property
    def _was_asked_kindly(self) -> bool:
        return signal.SIGINT not in self._captured_signals

    async def _drain(self, seconds: float) -> None:
        self._is_draining = True
        self.lifespan.state[DRAINING] = True
        for cycle in self._requests():
            if cycle is not None and not cycle.response_complete:
                cycle.keep_alive = False
        if seconds:
            log.info("draining", seconds=seconds)
        for tick in range(1 + round(seconds / TICK_SECONDS)):
            if self.force_exit or not self._was_asked_kindly:
                return
            await self.on_tick(tick)
            await asyncio.sleep(TICK_SECONDS if seconds else 0)

    async def _close_door(self, listeners: list[socket.socket]) -> None:
        if not self.config.shares_listener:
            for listener in listeners:
                let_nobody_in(listener)
        await asyncio.sleep(SETTLE_SECONDS * (2 if self.config.shares_listener else 1))
        for server in self.servers:
            server.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all_have_asked(), FIRST_REQUEST_SECONDS)

    async def _all_have_asked(self) -> None:
        """Wait until every connection has said what it wants: the ones let in last have just come."""
        while None in self._requests() and not self.force_exit:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(TICK_SECONDS / 10)

    def _requests(self) -> Iterator[Any]:
        """Yield each connection's present or last request; None for one that has not asked anything yet."""
        for connection in self.server_state.connections:
            yield getattr(connection, "cycle", None)
