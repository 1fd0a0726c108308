"""Asks DNS for the TXT records of a name: the port, and what fills it.

No library in the lock speaks DNS, and the operating system's own lookup knows addresses only. So one question is asked
of the resolvers that the system uses: by UDP, by TCP where the answer is too long for it, within a few seconds.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol, Self

import structlog

from portico.core.entropy import Entropy
from portico.core.errors import Unavailable
from portico.organizations.dns_messages import NotAnAnswer, Question, ServerFailed, Truncated
from portico.organizations.settings import OrganizationsSettings
from portico.runtime import Runtime

PORT: Final = 53
MOST_SERVERS: Final = 3
TRIES: Final = 2
LARGEST_ANSWER: Final = 16_384
CONFIGURATION: Final = Path("/etc/resolv.conf")

type Server = tuple[str, int]

log = structlog.get_logger("portico.organizations")


class DnsAway(Unavailable):
    """No name server could tell; nothing is known about the record."""

    code, title = "dns_unavailable", "DNS cannot be asked at the moment"


class Resolver(Protocol):
    """Knows what stands in DNS."""

    async def list_texts(self, name: str) -> Sequence[str]:
        """Return the TXT records of a name, each as one text; none where there are none.

        Raises:
            DnsAway: nobody could tell (503).
        """
        ...


class DnsResolver:
    """Asks the servers of the setting, else those of the operating system, one after the other."""

    def __init__(self, servers: Sequence[Server], timeout: timedelta, entropy: Entropy) -> None:
        self._servers = tuple(servers)
        self._timeout = timeout.total_seconds()
        self._entropy = entropy

    @classmethod
    def of(cls, runtime: Runtime) -> Self:
        """Make the one of a process."""
        settings = runtime.section(OrganizationsSettings)
        return cls([server_of(text) for text in settings.dns_servers], settings.dns_timeout, runtime.entropy)

    async def list_texts(self, name: str) -> Sequence[str]:
        """Return the TXT records of a name.

        Raises:
            DnsAway: no server answered in time, or none could find out (503).
        """
        servers = self._servers or await asyncio.to_thread(system_servers)
        for server in servers[:MOST_SERVERS] * TRIES:
            question = Question(int.from_bytes(self._entropy.bytes(2), "big"), name)
            try:
                async with asyncio.timeout(self._timeout):
                    return await _ask(server, question)
            except (OSError, TimeoutError, EOFError, NotAnAnswer, ServerFailed) as error:
                log.info("dns_unanswered", server=server[0], error=type(error).__name__)
        raise DnsAway(retry_after=60)


async def _ask(server: Server, question: Question) -> Sequence[str]:
    try:
        return question.read_answer(await _by_udp(server, question))
    except Truncated:
        return question.read_answer(await _by_tcp(server, question))


async def _by_udp(server: Server, question: Question) -> bytes:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()
    # Connected: the kernel lets through only what comes from this server to this port.
    transport, _ = await loop.create_datagram_endpoint(lambda: _Waiting(question, answer), remote_addr=server)
    try:
        transport.sendto(question.encode())
        return await answer
    finally:
        transport.close()


class _Waiting(asyncio.DatagramProtocol):
    """Waits for the datagram that answers; others are passed over, for anybody may send them (RFC 5452)."""

    def __init__(self, question: Question, answer: asyncio.Future[bytes]) -> None:
        self._question = question
        self._answer = answer

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take the answer."""
        if not self._answer.done() and self._question.is_answered_by(data):
            self._answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """Hear that nobody listens there."""
        if not self._answer.done():
            self._answer.set_exception(exc)


async def _by_tcp(server: Server, question: Question) -> bytes:
    reader, writer = await asyncio.open_connection(*server, limit=LARGEST_ANSWER)
    try:
        asked = question.encode()
        writer.write(len(asked).to_bytes(2, "big") + asked)
        await writer.drain()
        size = int.from_bytes(await reader.readexactly(2), "big")
        if size > LARGEST_ANSWER:
            raise NotAnAnswer("too long")
        return await reader.readexactly(size)
    finally:
        writer.close()


def server_of(text: str) -> Server:
    """Return host and port of a server as settings write it: `192.0.2.1`, `192.0.2.1:5353`, `[2001:db8::1]:53`."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest.removeprefix(":") or PORT)
    host, colon, port = text.partition(":")
    return (host, int(port)) if colon and ":" not in port else (text, PORT)


def system_servers(configuration: Path = CONFIGURATION) -> tuple[Server, ...]:
    """Return the servers that the operating system asks (resolv.conf), at most three; itself where it names none."""
    try:
        lines = configuration.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    words = [line.split() for line in lines]
    named = [(word[1], PORT) for word in words if len(word) >= 2 and word[0] == "nameserver"]
    return tuple(named[:MOST_SERVERS]) or (("127.0.0.1", PORT),)
