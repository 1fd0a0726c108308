"""The trail leaves the house: at least once, in order, to each sink at its own pace (ASVS 16.4.3)."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from portico.audit.health import TrailBehind, describe_sinks
from portico.audit.services.shipping import Shipping
from portico.audit.sinks.port import SinkFailed
from portico.audit.sinks.syslog import SyslogSink
from portico.core.settings import Settings
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.sinks import HttpSink, answering
from tests.audit.trail import NORTH, act, chain

pytestmark = [pytest.mark.anyio, pytest.mark.bar("ASVS-16.4.3")]


class StreamSink:
    """A syslog receiver over TCP that keeps what it reads and closes when the sender has ended."""

    def __init__(self) -> None:
        self.frames: list[str] = []
        self.port = 0
        self.breaks = False

    @asynccontextmanager
    async def listening(self, context: ssl.SSLContext | None = None) -> AsyncIterator["StreamSink"]:
        server = await asyncio.start_server(self._take, "127.0.0.1", 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.breaks:
            writer.transport.abort()
            return
        data = await reader.read()
        while data:
            length, _, rest = data.partition(b" ")
            self.frames.append(rest[: int(length)].decode())
            data = rest[int(length) :]
        writer.close()


@pytest.fixture
async def posted() -> AsyncIterator[HttpSink]:
    async with HttpSink() as sink:
        yield sink


@pytest.fixture
async def collected() -> AsyncIterator[HttpSink]:
    async with HttpSink(answering(200, b"{}")) as sink:
        yield sink


@pytest.fixture
async def logged() -> AsyncIterator[StreamSink]:
    async with StreamSink().listening() as sink:
        yield sink


@pytest.fixture
def ships_personal() -> bool:
    return True


@pytest.fixture
def settings(
    settings: Settings, posted: HttpSink, collected: HttpSink, logged: StreamSink, ships_personal: bool
) -> Settings:
    return settings.changed(
        outbound={"allow_loopback": True},
        audit={
            "ship_personal": ships_personal,
            "http_url": posted.url,
            "http_authorization": "Bearer of entries",
            "otlp_url": f"http://127.0.0.1:{collected.port}/v1/logs",
            "syslog_url": f"tcp://127.0.0.1:{logged.port}",
        },
    )


def numbers_of(sink: HttpSink) -> list[int]:
    return [
        json.loads(line)["details"]["number"] for each in sink.received for line in each.body.splitlines()
    ]


async def ship(runtime: Runtime, *names: str) -> list[int]:
    return [await Shipping(runtime, name).run() for name in names or ("http", "otlp", "syslog")]


async def test_every_sink_is_told_everything_in_order(
    runtime: Runtime, posted: HttpSink, collected: HttpSink, logged: StreamSink
) -> None:
    await act(runtime, 3, organization_id=NORTH)
    await chain(runtime)

    assert await ship(runtime) == [3, 3, 3]
    assert await ship(runtime) == [0, 0, 0]

    assert numbers_of(posted) == [0, 1, 2]
    assert posted.received[0].headers["authorization"] == "Bearer of entries"
    assert posted.received[0].headers["content-type"] == "application/x-ndjson"
    line = json.loads(posted.received[0].body.splitlines()[0])
    assert (line["action"], line["stream"], line["position"]) == ("test.acted", str(NORTH), 1)
    assert line["personal"]["client_address"] == "203.0.113.7"
    records = json.loads(collected.received[0].body)["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    assert [record["eventName"] for record in records] == ["test.acted"] * 3
    assert collected.received[0].path == "/v1/logs"
    assert logged.frames[0].startswith("<110>1 ")
    assert [json.loads(frame.split(" ", 7)[7])["details"]["number"] for frame in logged.frames] == [0, 1, 2]


async def test_a_dead_sink_delays_only_itself_and_misses_nothing(
    runtime: Runtime, posted: HttpSink, logged: StreamSink, clock: FrozenClock
) -> None:
    posted.behaviour = answering(500)
    await act(runtime, 2)
    await chain(runtime)
    first = await ship(runtime)
    at_once = await ship(runtime)
    tried = len(posted.received)
    line = await describe_sinks(runtime)
    clock.advance(timedelta(minutes=6))
    await ship(runtime, "http")
    with pytest.raises(TrailBehind, match="answered 500"):
        await describe_sinks(runtime)
    posted.received.clear()
    posted.behaviour = answering(204)
    clock.advance(timedelta(minutes=1))
    await act(runtime, 1, details={"number": 2})
    await chain(runtime)

    assert (first, at_once, tried) == ([0, 2, 2], [0, 0, 0], 1)
    assert "http: 2 behind, failing for 0 s (answered 500)" in line
    assert await ship(runtime, "http") == [3]
    assert numbers_of(posted) == [0, 1, 2]
    assert "http: 0 behind" in await describe_sinks(runtime)


async def test_a_batch_that_broke_off_comes_again(
    runtime: Runtime, logged: StreamSink, clock: FrozenClock
) -> None:
    logged.breaks = True
    await act(runtime, 2)
    await chain(runtime)
    assert await ship(runtime, "syslog") == [0]
    logged.breaks = False
    clock.advance(timedelta(seconds=1))

    assert await ship(runtime, "syslog") == [2]
    assert len(logged.frames) == 2


@pytest.mark.bar("ASVS-16.4.1")
@pytest.mark.parametrize("text", ["a\r\nb", "\x1b[31m", "\u2028", "\u202e"])
async def test_no_entry_forges_a_line(
    runtime: Runtime, logged: StreamSink, posted: HttpSink, text: str
) -> None:
    await act(runtime, reason=text, personal={"name": text})
    await chain(runtime)
    await ship(runtime)

    [frame] = logged.frames
    [line] = posted.received[0].body.decode().splitlines()
    assert frame.isascii()
    assert frame.isprintable()
    assert line.isprintable()
    assert json.loads(line)["reason"] == text


class TestWithoutPersonal:
    @pytest.fixture
    def ships_personal(self) -> bool:
        return False

    async def test_nothing_personal_leaves(self, runtime: Runtime, posted: HttpSink) -> None:
        await act(runtime, personal={"email": "ada@example.org"})
        await chain(runtime)
        await ship(runtime)

        assert b"203.0.113.7" not in posted.received[0].body
        assert b"ada@example.org" not in posted.received[0].body


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_datagrams_and_tls(runtime: Runtime, tmp_path: Path) -> None:
    from portico.audit.services import read_links

    await act(runtime, 2)
    await chain(runtime)
    async with runtime.reads() as session:
        entries = await read_links(session, 0, 10)
    received: list[bytes] = []

    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, address: Any) -> None:
            received.append(data)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Receiver, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    await SyslogSink(f"udp://127.0.0.1:{port}", with_personal=True, hostname="h").send(entries)
    for _ in range(100):
        if len(received) == 2:
            break
        await asyncio.sleep(0.01)
    transport.close()
    assert [message[:7] for message in received] == [b"<110>1 "] * 2

    with pytest.raises(SinkFailed, match="cannot be reached"):
        await SyslogSink("tcp://127.0.0.1:1", with_personal=True, hostname="h").send(entries)
