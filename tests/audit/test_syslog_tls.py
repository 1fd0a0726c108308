"""Syslog over TLS: framed, to whom we trust and nobody else, and whatever breaks, everything arrives (RFC 5425)."""

import datetime as dt
import json
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from portico.audit.services import read_links, record
from portico.audit.services.shipping import Shipping
from portico.audit.sinks.port import SinkFailed
from portico.audit.sinks.syslog import SyslogSink
from portico.audit.types import ChainedEntry
from portico.core.settings import Settings
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.audit.syslog_tls import (
    Authority,
    Behaviour,
    Receiver,
    dies_while_reading,
    hangs_up_at_once,
    reads_and_hangs_up,
    says_goodbye_at_once,
)
from tests.audit.trail import act, chain

pytestmark = [pytest.mark.anyio, pytest.mark.bar("ASVS-16.4.3", "ASVS-12.3.2")]

HOST = "127.0.0.1"


@pytest.fixture(params=["sqlite"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """The sink asks no database."""
    return str(request.param)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def receiver(authority: Authority) -> Iterator[Receiver]:
    with Receiver(authority.context_for(HOST)).listening() as receiver:
        yield receiver


@pytest.fixture
def settings(settings: Settings, receiver: Receiver, authority: Authority) -> Settings:
    return settings.changed(
        outbound={"ca_file": authority.file}, audit={"syslog_url": f"tls://{HOST}:{receiver.port}"}
    )


def numbers(receiver: Receiver) -> list[int]:
    return [json.loads(frame.split(" ", 7)[7])["details"]["number"] for frame in receiver.frames]


async def ship(runtime: Runtime) -> int:
    return await Shipping(runtime, "syslog").run()


async def why(runtime: Runtime) -> str:
    state, _ = await Shipping(runtime, "syslog").state()
    return state.last_error or ""


async def test_everything_arrives_in_frames_and_in_order(runtime: Runtime, receiver: Receiver) -> None:
    await act(runtime, 3)
    await act(runtime, 1, details={"number": 3}, reason="ü\n2 x" * 40)
    await chain(runtime)

    assert await ship(runtime) == 4
    assert numbers(receiver) == [0, 1, 2, 3]
    assert receiver.frames[0].startswith("<110>1 2026-")
    assert receiver.versions == ["TLSv1.3"]


async def test_a_large_batch_does_too(runtime: Runtime, receiver: Receiver) -> None:
    async with runtime.unit() as unit:
        for number in range(700):
            record(runtime, unit, "test.acted", details={"number": number, "much": "x" * 2_000})
    await chain(runtime)

    assert await ship(runtime) == 700
    assert numbers(receiver) == list(range(700))


async def test_a_receiver_without_a_goodbye_has_read_all_the_same(
    runtime: Runtime, receiver: Receiver
) -> None:
    receiver.behaviours = [reads_and_hangs_up]
    await act(runtime, 2)
    await chain(runtime)

    assert await ship(runtime) == 2


@pytest.mark.parametrize("breaks", [hangs_up_at_once, dies_while_reading, says_goodbye_at_once])
async def test_what_breaks_off_comes_again_and_nothing_is_lost(
    runtime: Runtime, receiver: Receiver, clock: FrozenClock, breaks: Behaviour
) -> None:
    receiver.behaviours = [breaks] * 3
    await act(runtime, 5)
    await chain(runtime)
    tried = []
    for _ in range(4):
        tried.append(await ship(runtime))
        clock.advance(timedelta(minutes=1))

    assert tried == [0, 0, 0, 5]
    assert numbers(receiver) == [0, 1, 2, 3, 4]


async def entries_of(runtime: Runtime) -> list[ChainedEntry]:
    await act(runtime, 2)
    await chain(runtime)
    async with runtime.reads() as session:
        return await read_links(session, 0, 10)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_receiver_that_is_being_restarted_has_taken_nothing(
    runtime: Runtime, authority: Authority, version: ssl.TLSVersion
) -> None:
    """Its goodbye may cross what we send, so it is tried often: of forty batches none counts as taken."""
    entries, context = await entries_of(runtime), authority.context_for(HOST)
    context.maximum_version = version
    ours = ssl.create_default_context(cafile=authority.file)
    with Receiver(context, behaviours=[says_goodbye_at_once] * 40).listening() as receiver:
        sink = SyslogSink(f"tls://{HOST}:{receiver.port}", with_personal=True, hostname="h", context=ours)
        for _ in range(40):
            with pytest.raises(SinkFailed):
                await sink.send(entries)

    assert receiver.frames == []


async def test_it_connects_again_when_the_receiver_is_back(
    runtime: Runtime, receiver: Receiver, authority: Authority, clock: FrozenClock
) -> None:
    await act(runtime, 2)
    await chain(runtime)
    assert await ship(runtime) == 2
    gone = Receiver(authority.context_for(HOST))
    with gone.listening():
        pass
    moved = Shipping(runtime, "syslog")
    moved._sink._port = gone.port  # type: ignore[union-attr]  # where nobody listens now
    await act(runtime, 1, details={"number": 2})
    await chain(runtime)
    assert await moved.run() == 0
    assert "cannot be reached" in await why(runtime)
    clock.advance(timedelta(minutes=1))
    with gone.listening(gone.port):
        assert await moved.run() == 1

    assert numbers(receiver) + numbers(gone) == [0, 1, 2]


REASONS = {
    "of_another_authority": "unable to get local issuer certificate",
    "of_another_host": "IP address mismatch",
    "expired": "certificate has expired",
}


class TestUntrusted:
    """Who is not whom the settings name is told nothing."""

    @pytest.fixture(params=list(REASONS))
    def receiver(
        self, request: pytest.FixtureRequest, authority: Authority, tmp_path: Path
    ) -> Iterator[Receiver]:
        contexts = {
            "of_another_authority": lambda: Authority(tmp_path, "Mallory").context_for(HOST),
            "of_another_host": lambda: authority.context_for("logs.example.com", "127.0.0.2"),
            "expired": lambda: authority.context_for(HOST, ends_in=-dt.timedelta(days=1)),
        }
        with Receiver(contexts[request.param]()).listening() as receiver:
            yield receiver

    async def test_a_wrong_certificate_is_refused(
        self, runtime: Runtime, receiver: Receiver, request: pytest.FixtureRequest
    ) -> None:
        await act(runtime, 1)
        await chain(runtime)

        assert await ship(runtime) == 0
        assert REASONS[request.node.callspec.params["receiver"]] in await why(runtime)
        assert receiver.frames == []


class TestOldProtocol:
    @pytest.fixture
    def receiver(self, authority: Authority) -> Iterator[Receiver]:
        context = authority.context_for(HOST)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with Receiver(context).listening() as receiver:
            yield receiver

    async def test_version_1_2_will_do(self, runtime: Runtime, receiver: Receiver) -> None:
        await act(runtime, 2)
        await chain(runtime)

        assert await ship(runtime) == 2
        assert receiver.versions == ["TLSv1.2"]


class TestDemanding:
    @pytest.fixture
    def receiver(self, authority: Authority) -> Iterator[Receiver]:
        context = authority.context_for(HOST)
        context.load_verify_locations(authority.file)
        context.verify_mode = ssl.CERT_REQUIRED
        with Receiver(context).listening() as receiver:
            yield receiver

    async def test_a_receiver_that_wants_our_certificate_has_taken_nothing(
        self, runtime: Runtime, receiver: Receiver
    ) -> None:
        """In TLS 1.3 it says so only after we have sent."""
        await act(runtime, 2)
        await chain(runtime)

        assert await ship(runtime) == 0
        assert receiver.frames == []
