"""TLS over a TCP connection of which each direction ends for itself.

asyncio's own TLS closes both at once and does not say whether the other side had read to the end; for a protocol that
acknowledges nothing, that end is all there is to go by.
"""

import asyncio
import ssl
from typing import Final

READ_BYTES: Final = 65_536
MOST_ANSWER: Final = 1_048_576
"""How much a receiver may say, who has nothing to say."""


class TlsStream:
    """The client's side of one connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext, host: str
    ) -> None:
        self._reader, self._writer = reader, writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    async def shake_hands(self) -> None:
        """Agree on keys, and check who it is.

        Raises:
            ssl.SSLError: not whom the context trusts, or nobody who speaks TLS.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
            except ssl.SSLError:
                await self._flush()  # the alert, so that the receiver knows too
                raise
            else:
                break
        await self._flush()

    async def write(self, data: bytes) -> None:
        """Send `data`."""
        self._tls.write(data)
        await self._flush()

    async def end(self) -> None:
        """Say that no more comes (RFC 5425, section 4.4), wait until the receiver has ended too, and hear his reasons.

        Raises:
            ssl.SSLError: he ended with an alert.
        """
        self._unwrap()
        await self._flush()
        self._writer.write_eof()
        told = 0
        while data := await self._reader.read(READ_BYTES):
            told += len(data)
            if told > MOST_ANSWER:
                raise ConnectionError("the receiver has too much to say")
            self._incoming.write(data)
        self._incoming.write_eof()
        self._unwrap()

    def _unwrap(self) -> None:
        """Say goodbye and read the other's; who ends the connection without one has ended it all the same."""
        try:
            self._tls.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError, ssl.SSLEOFError, ssl.SSLSyscallError):
            return
        except ssl.SSLError as error:
            if "ALERT" in (error.reason or ""):
                raise

    async def _flush(self) -> None:
        if self._outgoing.pending:
            self._writer.write(self._outgoing.read())
            await self._writer.drain()

    async def _receive(self) -> None:
        data = await self._reader.read(READ_BYTES)
        if not data:
            raise ConnectionError("the receiver ended the connection")
        self._incoming.write(data)
