"""Asking DNS: the message on the wire, servers that answer, lie, cut off or keep silent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from portico.core.entropy import SystemEntropy
from portico.organizations.dns_messages import (
    HEADER_BYTES,
    LONGEST_NAME,
    NotAnAnswer,
    Question,
    ServerFailed,
    Truncated,
)
from portico.organizations.resolving import DnsAway, DnsResolver, server_of, system_servers
from portico.organizations.settings import OrganizationsSettings

pytestmark = pytest.mark.anyio

NAME = "_portico-challenge.example.com"
TTL = (300).to_bytes(4, "big")
POINTER = (0xC000 | HEADER_BYTES).to_bytes(2, "big")
"""To the name of the question."""


def name_bytes(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def record(kind: int, data: bytes, owner: bytes = POINTER) -> bytes:
    return owner + kind.to_bytes(2, "big") + b"\0\1" + TTL + len(data).to_bytes(2, "big") + data


def txt(*parts: str, owner: bytes = POINTER) -> bytes:
    return record(16, b"".join(bytes([len(part)]) + part.encode() for part in parts), owner)


def answer(query: bytes, *records: bytes, flags: int = 0x8180, name: str | None = None) -> bytes:
    question = query[HEADER_BYTES:] if name is None else name_bytes(name) + query[-4:]
    counts = b"".join(n.to_bytes(2, "big") for n in (1, len(records), 0, 0))
    return query[:2] + flags.to_bytes(2, "big") + counts + question + b"".join(records)


QUESTION = Question(4711, NAME)
QUERY = QUESTION.encode()


def test_a_question_is_written_as_the_standard_says() -> None:
    header = bytes.fromhex("1267 0100 0001 0000 0000 0000".replace(" ", ""))

    assert header + name_bytes(NAME) + b"\0\x10\0\1" == QUERY


def test_texts_are_read_joined_and_from_the_name_that_was_asked() -> None:
    stranger = txt("not ours", owner=name_bytes("example.org"))
    address = record(1, b"\x7f\0\0\1")

    assert QUESTION.read_answer(answer(QUERY, address, txt("one, ", "and more"), stranger, txt("two"))) == (
        "one, and more",
        "two",
    )


def test_an_alias_is_followed_and_a_circle_of_aliases_ends() -> None:
    target = name_bytes("verify.example.net")
    there = answer(QUERY, record(5, target), txt("found", owner=target))
    circle = answer(QUERY, record(5, target), record(5, name_bytes(NAME), owner=target))

    assert QUESTION.read_answer(there) == ("found",)
    assert QUESTION.read_answer(circle) == ()


def test_letters_of_names_may_be_large_or_small() -> None:
    assert QUESTION.read_answer(answer(QUERY, txt("found"), name=NAME.upper())) == ("found",)


@pytest.mark.parametrize(("flags", "outcome"), [(0x8183, ()), (0x8180, ())])
def test_no_such_name_and_no_such_record_are_both_nothing(flags: int, outcome: tuple[str, ...]) -> None:
    assert QUESTION.read_answer(answer(QUERY, flags=flags)) == outcome


@pytest.mark.parametrize(
    ("message", "refusal"),
    [
        (b"", NotAnAnswer),
        (QUERY, NotAnAnswer),
        (b"\0\0" + answer(QUERY, txt("x"))[2:], NotAnAnswer),
        (answer(QUERY, txt("x"), name="example.org"), NotAnAnswer),
        (answer(QUERY, txt("x"))[:-1], NotAnAnswer),
        (answer(QUERY, txt("x"), flags=0x8380), Truncated),
        (answer(QUERY, flags=0x8182), ServerFailed),
        (answer(QUERY, flags=0x8185), ServerFailed),
        (answer(QUERY, record(16, b"\x05abc")), NotAnAnswer),
        (answer(QUERY, txt("x", owner=(0xC000 | 48).to_bytes(2, "big"))), NotAnAnswer),
    ],
    ids=["empty", "question", "number", "name", "cut", "truncated", "failed", "refused", "text", "circle"],
)
def test_what_is_no_answer_is_refused(message: bytes, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        QUESTION.read_answer(message)


@given(st.binary(max_size=600))
def test_bytes_of_a_stranger_give_an_answer_or_a_refusal(noise: bytes) -> None:
    for message in (noise, answer(QUERY)[:-2] + noise, answer(QUERY, b"")[: HEADER_BYTES - 6] + noise):
        try:
            QUESTION.read_answer(message)
        except (NotAnAnswer, ServerFailed, Truncated):
            continue


@pytest.mark.parametrize("name", ["", "a..b", "a" * 64 + ".com", ".".join(["a" * 60] * 5)])
def test_a_name_that_cannot_be_written_is_refused(name: str) -> None:
    assert len(name) <= LONGEST_NAME + 60
    with pytest.raises(ValueError, match="name"):
        Question(1, name).encode()


def test_servers_are_read_from_settings_and_system(tmp_path: Path) -> None:
    configuration = tmp_path / "resolv.conf"
    configuration.write_text(
        "# us\nsearch example.com\nnameserver 192.0.2.1\nnameserver  2001:db8::1 \nnameserver\n"
        "nameserver 192.0.2.3\nnameserver 192.0.2.4\n"
    )

    assert system_servers(configuration) == (("192.0.2.1", 53), ("2001:db8::1", 53), ("192.0.2.3", 53))
    assert system_servers(tmp_path / "none") == (("127.0.0.1", 53),)
    assert server_of("192.0.2.1:5353") == ("192.0.2.1", 5353)
    assert server_of("[2001:db8::1]:5353") == ("2001:db8::1", 5353)
    assert server_of("[2001:db8::1]") == server_of("2001:db8::1") == ("2001:db8::1", 53)


@pytest.mark.parametrize("server", ["", "dns.example.com", "192.0.2.1:0", "192.0.2.1:x", "[::1", "1.2.3"])
def test_a_server_that_is_no_address_is_refused_at_the_start(server: str) -> None:
    with pytest.raises(ValueError, match="dns_servers"):
        OrganizationsSettings(dns_servers=(server,))


type Behave = Callable[[bytes], bytes | None]


class _Server(asyncio.DatagramProtocol):
    def __init__(self, behave: Behave) -> None:
        self.behave = behave
        self.asked: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked.append(data)
        if (said := self.behave(data)) is not None:
            self.transport.sendto(said, addr)


@asynccontextmanager
async def serving(
    by_udp: Behave, by_tcp: Callable[[bytes], Awaitable[bytes]] | None = None
) -> AsyncIterator[tuple[_Server, str]]:
    """Serve DNS on a port of this machine."""
    loop = asyncio.get_running_loop()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert by_tcp is not None
        size = int.from_bytes(await reader.readexactly(2), "big")
        writer.write(await by_tcp(await reader.readexactly(size)))
        await writer.drain()
        writer.close()

    stream = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = stream.sockets[0].getsockname()[1]
    transport, server = await loop.create_datagram_endpoint(
        lambda: _Server(by_udp), local_addr=("127.0.0.1", port)
    )
    try:
        yield server, f"127.0.0.1:{port}"
    finally:
        transport.close()
        stream.close()


def resolver(*servers: str) -> DnsResolver:
    return DnsResolver([server_of(each) for each in servers], timedelta(milliseconds=200), SystemEntropy())


async def test_the_resolver_asks_by_udp() -> None:
    async with serving(lambda query: answer(query, txt("portico-verification=abc"))) as (server, at):
        assert await resolver(at).list_texts(NAME) == ("portico-verification=abc",)

    assert [query[2:] for query in server.asked] == [QUERY[2:]]


async def test_a_long_answer_comes_by_tcp() -> None:
    long = "x" * 250

    async def by_tcp(query: bytes) -> bytes:
        said = answer(query, *[txt(long) for _ in range(20)])
        return len(said).to_bytes(2, "big") + said

    async with serving(lambda query: answer(query, flags=0x8380), by_tcp) as (_, at):
        assert await resolver(at).list_texts(NAME) == (long,) * 20


async def test_an_answer_without_end_is_refused() -> None:
    async def by_tcp(query: bytes) -> bytes:
        return (60_000).to_bytes(2, "big") + b"x" * 60_000

    async with serving(lambda query: answer(query, flags=0x8380), by_tcp) as (_, at):
        with pytest.raises(DnsAway):
            await resolver(at).list_texts(NAME)


async def test_forged_datagrams_are_passed_over() -> None:
    def lie(query: bytes) -> bytes:
        forged = (int.from_bytes(query[:2], "big") ^ 1).to_bytes(2, "big")
        return forged + answer(query, txt("forged"))[2:]

    async with serving(lie) as (server, at):
        with pytest.raises(DnsAway):
            await resolver(at).list_texts(NAME)

    assert len(server.asked) == 2


async def test_a_silent_server_is_left_for_the_next_one() -> None:
    async with (
        serving(lambda _: None) as (_, silent),
        serving(lambda query: answer(query, flags=0x8182)) as (_, broken),
        serving(lambda query: answer(query, txt("here"))) as (_, good),
    ):
        assert await resolver(silent, broken, good).list_texts(NAME) == ("here",)


async def test_nobody_there_is_told_within_the_time() -> None:
    async with serving(lambda _: None) as (_, silent), asyncio.timeout(2):
        with pytest.raises(DnsAway) as refused:
            await resolver(silent).list_texts(NAME)

    assert refused.value.status == 503
