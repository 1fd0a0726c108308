"""Syslog: RFC 5424 over UDP (RFC 5426), TCP with counted octets (RFC 6587), or TLS (RFC 5425).

Syslog acknowledges nothing. Over TCP and TLS each batch therefore has a connection of its own, which we end and whose
end by the receiver we await: then it has read all of it. A batch that broke off comes again whole. What is sent by UDP
may be lost, and nobody will know.
"""

import asyncio
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

from portico.audit.settings import AuditSettings
from portico.audit.sinks.port import SinkFailed, json_line, rfc3339
from portico.audit.sinks.tls import TlsStream
from portico.audit.types import ChainedEntry, Outcome
from portico.runtime import Runtime

FACILITY = 13
"""Log audit (RFC 5424, table 1)."""
SEVERITY = {Outcome.SUCCESS: 6, Outcome.REFUSED: 4, Outcome.FAILED: 3}
TIMEOUT_SECONDS = 10.0
MOST_NAME = 32


class SyslogSink:
    """Sends batches to one receiver."""

    def __init__(
        self, url: str, *, with_personal: bool, hostname: str, context: ssl.SSLContext | None = None
    ) -> None:
        parts = urlsplit(url)
        self._scheme, self._host, self._port = parts.scheme, parts.hostname or "", parts.port or 514
        self._with_personal = with_personal
        self._hostname = hostname
        self._context = context

    @classmethod
    def configured(cls, runtime: Runtime) -> "SyslogSink | None":
        """Return the sink that the settings name, or None."""
        settings = runtime.section(AuditSettings)
        if settings.syslog_url is None:
            return None
        context = None
        if settings.syslog_url.startswith("tls:"):
            context = ssl.create_default_context()
            if runtime.settings.outbound.ca_file is not None:
                context.load_verify_locations(runtime.settings.outbound.ca_file)
        hostname = urlsplit(runtime.settings.public_url).hostname or "-"
        return cls(
            settings.syslog_url,
            with_personal=settings.ship_personal,
            hostname=hostname,
            context=context,
        )

    async def send(self, entries: Sequence[ChainedEntry]) -> None:
        """Send a batch.

        Raises:
            SinkFailed: the receiver cannot be reached, or did not read to the end.
        """
        messages = [self._message(entry) for entry in entries]
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await (self._by_datagrams(messages) if self._scheme == "udp" else self._by_stream(messages))
        except TimeoutError:
            raise SinkFailed(f"took nothing for {TIMEOUT_SECONDS:g} seconds") from None
        except OSError as error:
            raise SinkFailed(f"cannot be reached: {error.strerror or type(error).__name__}") from error

    async def _by_datagrams(self, messages: Sequence[bytes]) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(self._host, self._port)
        )
        try:
            for message in messages:
                transport.sendto(message)
        finally:
            transport.close()

    async def _by_stream(self, messages: Sequence[bytes]) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            if self._context is None:
                await self._in_clear(reader, writer, messages)
            else:
                await self._in_tls(TlsStream(reader, writer, self._context, self._host), messages)
        finally:
            writer.close()

    async def _in_clear(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, messages: Sequence[bytes]
    ) -> None:
        for message in messages:
            writer.write(_framed(message))
            await writer.drain()
        writer.write_eof()
        await reader.read()  # to the end: the receiver has closed, so it has read ours

    async def _in_tls(self, stream: TlsStream, messages: Sequence[bytes]) -> None:
        await stream.shake_hands()
        for message in messages:
            await stream.write(_framed(message))
        await stream.end()

    def _message(self, chained: ChainedEntry) -> bytes:
        priority = FACILITY * 8 + SEVERITY[chained.entry.outcome]
        name = chained.entry.action.encode("ascii", "replace").decode()[:MOST_NAME].replace(" ", "_")
        header = f"<{priority}>1 {rfc3339(chained)} {self._hostname} portico - {name} -"
        return header.encode() + b" " + json_line(chained, with_personal=self._with_personal)


def _framed(message: bytes) -> bytes:
    """Put the length in front (RFC 5425, section 4.3; RFC 6587, section 3.4.1)."""
    return b"%d %b" % (len(message), message)
