"""The gate itself: the only place where an outbound connection is opened, to the address that was just checked.

Between the check and the connection nothing is looked up again, so that a name that answers differently the second
time (DNS rebinding) gains nothing. The name stays what TLS asks the certificate for. Imported at the first request.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import httpcore2

from portico.core.settings import OutboundSettings
from portico.outbound.addresses import Address, is_allowed, read_address
from portico.outbound.errors import AddressForbidden
from portico.outbound.resolving import Resolver

READ_BYTES = 16_384
"""How much is taken from a connection at once: the most that is read beyond what is asked for."""
TRIED_ADDRESSES = 4


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections for the pool; there is no other way to open one."""

    def __init__(self, settings: OutboundSettings, resolver: Resolver) -> None:
        self._settings = settings
        self._resolver = resolver
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address of `host` that answers, if all of them may be reached.

        Raises:
            AddressForbidden: one of them is not public.
        """
        loop = asyncio.get_running_loop()
        limit = self._settings.connect_timeout.total_seconds()
        ends = loop.time() + limit
        try:
            async with asyncio.timeout(limit):
                addresses = await self.checked_addresses(host)
        except TimeoutError:
            raise httpcore2.ConnectTimeout from None
        failed: Exception = httpcore2.ConnectError("no address")
        for tried, address in enumerate(addresses):
            share = (ends - loop.time()) / (len(addresses) - tried)
            try:
                return ShortReads(await self._inner.connect_tcp(str(address), port, timeout=share))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed

    async def checked_addresses(self, host: str) -> Sequence[Address]:
        """Look `host` up and return its addresses.

        Raises:
            AddressForbidden: one of them may not be reached; then none is, for who controls the name controls them all.
            Unreachable: there is no such name.
        """
        try:
            addresses = [read_address(host)]
        except ValueError:
            addresses = [_known(found) for found in await self._resolver(host)]
        extra, loopback = self._settings.allow_networks, self._settings.allow_loopback
        if not all(is_allowed(address, extra, loopback=loopback) for address in addresses):
            raise AddressForbidden
        return addresses[:TRIED_ADDRESSES]

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        """Refuse: nothing outside is reached by a file.

        Raises:
            AddressForbidden: always.
        """
        raise AddressForbidden

    async def sleep(self, seconds: float) -> None:
        """Wait; the pool does so only between attempts of its own, which we ask it not to make."""
        await self._inner.sleep(seconds)


class ShortReads(httpcore2.AsyncNetworkStream):
    """A connection that is read in small pieces, so that an answer without end is noticed early."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read at most `READ_BYTES`."""
        return await self._stream.read(min(max_bytes, READ_BYTES), timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        """Go on encrypted; the certificate must be that of `server_hostname`."""
        return ShortReads(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """Return what the connection knows of itself."""
        return self._stream.get_extra_info(info)


def _known(found: str) -> Address:
    try:
        return read_address(found)
    except ValueError:
        raise AddressForbidden from None
