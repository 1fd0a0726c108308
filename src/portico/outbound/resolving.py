"""Looks names up without letting slow ones hold anybody else.

The event loop's own lookup shares a handful of threads with everything else in the process: a few names whose
servers do not answer would keep all of them for half a minute. Here each lookup has a short-lived thread.
"""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence

from portico.outbound.errors import Unreachable

MAX_LOOKUPS = 64
"""How many lookups may be under way in a process; those that nobody waits for any more count until they end."""

type Resolver = Callable[[str], Awaitable[Sequence[str]]]
"""Returns the addresses of a name; raises `Unreachable` where there are none."""


class SystemResolver:
    """Asks the operating system."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(MAX_LOOKUPS)

    async def __call__(self, host: str) -> Sequence[str]:
        """Return all addresses of `host`, in the order of preference, each once.

        Raises:
            Unreachable: there is no such name, or too many are being looked up.
        """
        if not self._places.acquire(blocking=False):
            raise Unreachable("too many names are being looked up")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[str]] = loop.create_future()
        threading.Thread(
            target=self._look_up, args=(host, loop, answer), daemon=True, name="outbound-dns"
        ).start()
        return await answer

    def _look_up(
        self, host: str, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Sequence[str]]
    ) -> None:
        found: Sequence[str] = ()
        try:
            rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            found = tuple(dict.fromkeys(str(row[4][0]) for row in rows))
        except (OSError, UnicodeError):
            pass  # no addresses: told below, in the loop
        finally:
            self._places.release()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_tell, answer, found)


def _tell(answer: asyncio.Future[Sequence[str]], found: Sequence[str]) -> None:
    if answer.done():
        return
    if found:
        answer.set_result(found)
    else:
        answer.set_exception(Unreachable("there is no such host"))
