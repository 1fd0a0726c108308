"""Nothing leaves for an address inside, and nothing from outside takes more than it is given."""

import asyncio
import gzip
import ipaddress
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from portico.core.safety import UnsafeSettings, refuse_unsafe_settings
from portico.core.settings import OutboundSettings, Settings
from portico.outbound import (
    AddressForbidden,
    AnswerBroken,
    Outbound,
    OutboundError,
    OutboundRequest,
    Target,
    TooSlow,
    Unreachable,
)
from portico.outbound.resolving import Resolver
from portico.testing.sinks import (
    HttpSink,
    Received,
    answering,
    breaking_off,
    dripping,
    endless,
    hanging,
)

pytestmark = pytest.mark.anyio


class Names:
    """A name server under an attacker's control: each lookup gets the next answer, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with HttpSink() as sink:
        yield sink


type Opening = Callable[..., Outbound]


@pytest.fixture
async def opened() -> AsyncIterator[Opening]:
    """Return what makes clients; they are closed when the test ends."""
    made: list[Outbound] = []

    def make(resolver: Resolver | None = None, **given: Any) -> Outbound:
        limits = {"timeout": timedelta(seconds=2), "connect_timeout": timedelta(seconds=1)}
        made.append(Outbound(OutboundSettings(**{**limits, **given}), resolver))
        return made[-1]

    yield make
    for outbound in made:
        await outbound.close()


@pytest.fixture
def outbound(opened: Opening) -> Outbound:
    return opened(allow_loopback=True)


def to(sink: HttpSink, host: str | None = None, **given: Any) -> OutboundRequest:
    url = sink.url if host is None else f"{sink.url.partition('://')[0]}://{host}:{sink.port}/hook"
    return OutboundRequest(target=Target.of(url), **given)


async def test_request_arrives_as_written(sink: HttpSink, outbound: Outbound) -> None:
    sink.behaviour = answering(201, b"thanks", {"X-Answer": "yes"})

    answer = await outbound.send(to(sink, method="POST", headers={"X-Own": "1"}, body=b"{}"))

    assert (answer.status, answer.body, answer.is_cut) == (201, b"thanks", False)
    assert answer.headers["x-answer"] == "yes"
    (request,) = sink.received
    assert (request.method, request.path, request.body) == ("POST", "/hook", b"{}")
    assert request.headers["x-own"] == "1"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["host"] == f"127.0.0.1:{sink.port}"


@pytest.mark.bar("CVE-2025-67494")
async def test_caller_cannot_choose_host_or_framing(sink: HttpSink, outbound: Outbound) -> None:
    headers = {"Host": "169.254.169.254", "Content-Length": "9", "Transfer-Encoding": "chunked"}

    await outbound.send(to(sink, method="POST", headers=headers, body=b"{}"))

    assert sink.received[0].headers["host"] == f"127.0.0.1:{sink.port}"
    assert sink.received[0].body == b"{}"


@pytest.mark.bar(
    "CHECK-16", "ASVS-1.3.6", "CVE-2025-67494", "CVE-2026-27945", "CVE-2024-49753", "CVE-2025-68150"
)
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]"]
)
async def test_address_inside_gets_no_packet(sink: HttpSink, host: str, opened: Opening) -> None:
    with pytest.raises(AddressForbidden):
        await opened().send(to(sink, host))

    assert sink.connections == 0


@pytest.mark.bar("CHECK-16", "ASVS-1.3.6", "CVE-2024-49753")
@pytest.mark.parametrize("host", ["localhost", "localhost.", "LOCALHOST", "rebinding.example"])
async def test_name_that_leads_inside_gets_no_packet(sink: HttpSink, host: str, opened: Opening) -> None:
    resolver = Names(["127.0.0.1"]) if host.endswith("example") else None

    with pytest.raises(AddressForbidden):
        await opened(resolver).send(to(sink, host))

    assert sink.connections == 0


@pytest.mark.bar("CHECK-16", "ASVS-1.3.6")
async def test_one_address_inside_among_many_closes_the_name(sink: HttpSink, opened: Opening) -> None:
    resolver = Names(["93.184.216.34", "127.0.0.1"])

    with pytest.raises(AddressForbidden):
        await opened(resolver).send(to(sink, "mixed.example"))

    assert sink.connections == 0


@pytest.mark.bar("CHECK-16", "ASVS-1.3.6")
async def test_name_is_looked_up_once_and_the_checked_address_called(sink: HttpSink, opened: Opening) -> None:
    """A name that answers differently the second time is not asked a second time."""
    resolver = Names(["127.0.0.2"], ["127.0.0.1"])
    outbound = opened(resolver, allow_networks=("127.0.0.2/32",))

    async with HttpSink(host="127.0.0.2", port=sink.port) as allowed:
        answer = await outbound.send(to(sink, "rebinding.example"))

        assert (answer.status, resolver.asked) == (204, ["rebinding.example"])
        assert (allowed.connections, sink.connections) == (1, 0)
        assert allowed.received[0].headers["host"] == f"rebinding.example:{sink.port}"


@pytest.mark.bar("CHECK-16", "ASVS-1.3.6", "ASVS-15.3.2", "CVE-2026-55671", "P10")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_an_answer_and_not_followed(
    sink: HttpSink, outbound: Outbound, status: int
) -> None:
    async with HttpSink() as canary:
        sink.behaviour = answering(status, b"", {"Location": canary.url})

        answer = await outbound.send(to(sink))

        assert (status, 0) == (answer.status, canary.connections)


async def test_second_address_is_tried_when_the_first_is_shut(sink: HttpSink, opened: Opening) -> None:
    outbound = opened(Names(["127.0.0.9", "127.0.0.1"]), allow_loopback=True)

    assert (await outbound.send(to(sink, "two.example"))).status == 204


async def test_connection_is_used_again(sink: HttpSink, outbound: Outbound) -> None:
    for _ in range(3):
        await outbound.send(to(sink))

    assert (len(sink.received), sink.connections) == (3, 1)


@pytest.mark.bar("P10")
async def test_endless_answer_is_cut(sink: HttpSink, outbound: Outbound) -> None:
    sink.behaviour = endless()

    answer = await outbound.send(to(sink))

    assert (len(answer.body), answer.is_cut) == (65_536, True)


async def test_request_can_ask_for_less(sink: HttpSink, outbound: Outbound) -> None:
    sink.behaviour = answering(200, b"x" * 100)

    assert ((await outbound.send(to(sink, max_answer_bytes=10))).body) == b"x" * 10
    assert not (await outbound.send(to(sink, max_answer_bytes=100))).is_cut


async def test_compressed_answer_stays_compressed(sink: HttpSink, outbound: Outbound) -> None:
    bomb = gzip.compress(b"\0" * 1_000_000)
    sink.behaviour = answering(200, bomb, {"Content-Encoding": "gzip"})

    assert (await outbound.send(to(sink))).body == bomb


@pytest.mark.bar("P10")
@pytest.mark.parametrize("behaviour", [hanging(), dripping()], ids=["hangs", "drips"])
async def test_slow_receiver_costs_no_more_than_the_limit(
    sink: HttpSink, behaviour: Any, opened: Opening
) -> None:
    sink.behaviour = behaviour
    outbound = opened(allow_loopback=True, timeout=timedelta(seconds=0.2))
    began = asyncio.get_running_loop().time()

    with pytest.raises(TooSlow):
        await outbound.send(to(sink))

    assert asyncio.get_running_loop().time() - began < 1


async def test_slow_name_server_costs_no_more_than_the_limit(sink: HttpSink, opened: Opening) -> None:
    async def never(_: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    outbound = opened(never, connect_timeout=timedelta(seconds=0.1))

    with pytest.raises(TooSlow, match="connect"):
        await outbound.send(to(sink, "slow.example"))


@pytest.mark.bar("P10")
@pytest.mark.parametrize("after", [0, 5, 30, 60, 4_000])
async def test_connection_cut_in_the_middle_is_told(sink: HttpSink, outbound: Outbound, after: int) -> None:
    sink.behaviour = breaking_off(after)

    with pytest.raises(AnswerBroken):
        await outbound.send(to(sink))


@pytest.mark.parametrize(
    "answer",
    [
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + b"\x00\x00",
    ],
    ids=["no-http", "long-header", "two-lengths", "noise"],
)
async def test_what_is_no_answer_is_told(sink: HttpSink, outbound: Outbound, answer: bytes) -> None:
    async def behave(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    sink.behaviour = behave

    with pytest.raises(AnswerBroken):
        await outbound.send(to(sink))


async def test_closed_port_and_unknown_name_are_unreachable(sink: HttpSink, outbound: Outbound) -> None:
    for host in (f"127.0.0.1:{1024}", "name.invalid"):
        with pytest.raises(Unreachable):
            await outbound.send(OutboundRequest(target=Target.of(f"http://{host}/")))


@pytest.mark.bar("CHECK-16")
async def test_proxy_of_the_environment_is_not_asked(
    sink: HttpSink, outbound: Outbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with HttpSink() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

        await outbound.send(to(sink))

        assert (sink.connections, proxy.connections) == (1, 0)


async def test_hanging_receivers_hold_nobody_else(sink: HttpSink, opened: Opening) -> None:
    outbound = opened(allow_loopback=True, timeout=timedelta(seconds=1))
    async with HttpSink(hanging()) as dead:
        stuck = [asyncio.create_task(outbound.send(to(dead))) for _ in range(50)]
        await asyncio.sleep(0.1)
        began = asyncio.get_running_loop().time()

        await outbound.send(to(sink))

        assert asyncio.get_running_loop().time() - began < 0.5
        ends = await asyncio.gather(*stuck, return_exceptions=True)
        assert all(isinstance(end, TooSlow) for end in ends)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a certificate for hooks.example that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    pem, secret = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    return pem, secret


@pytest.fixture
async def tls_sink(certificate: tuple[Path, Path]) -> AsyncIterator[HttpSink]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    async with HttpSink(tls=context) as sink:
        yield sink


async def test_certificate_is_checked_for_the_name(
    tls_sink: HttpSink, certificate: tuple[Path, Path], opened: Opening
) -> None:
    outbound = opened(Names(["127.0.0.1"]), allow_loopback=True, ca_file=certificate[0])

    answer = await outbound.send(to(tls_sink, "hooks.example"))

    assert answer.status == 204
    assert tls_sink.received[0].headers["host"] == f"hooks.example:{tls_sink.port}"


@pytest.mark.bar("ASVS-12.3.2")
@pytest.mark.parametrize(("host", "trusts"), [("other.example", True), ("hooks.example", False)])
async def test_certificate_of_somebody_else_is_refused(
    tls_sink: HttpSink, certificate: tuple[Path, Path], host: str, opened: Opening, *, trusts: bool
) -> None:
    ca_file = certificate[0] if trusts else None
    outbound = opened(Names(["127.0.0.1"]), allow_loopback=True, ca_file=ca_file)

    with pytest.raises(Unreachable, match="certificate"):
        await outbound.send(to(tls_sink, host, method="POST", body=b"secret"))

    assert tls_sink.received == []


async def test_errors_name_no_address_inside(opened: Opening) -> None:
    with pytest.raises(OutboundError) as refused:
        await opened(Names(["10.1.2.3"])).send(OutboundRequest(target=Target.of("https://intranet.example/")))

    assert "10.1.2.3" not in str(refused.value)


def test_network_of_everybody_is_no_setting() -> None:
    with pytest.raises(ValueError, match="everywhere"):
        OutboundSettings(allow_networks=(ipaddress.ip_network("0.0.0.0/0"),))


@pytest.mark.parametrize(
    "network", ["127.0.0.1/32", "169.254.169.254/32", "160.0.0.0/3", "::1/128", "fe80::/64"]
)
def test_production_opens_neither_itself_nor_the_metadata(network: str) -> None:
    given = Settings(environment="production", outbound={"allow_networks": [network]})

    with pytest.raises(UnsafeSettings) as refused:
        refuse_unsafe_settings(given)

    assert "PORTICO_OUTBOUND__ALLOW_NETWORKS" in {fault.setting for fault in refused.value.faults}


async def test_nothing_heavy_is_imported_before_the_first_request() -> None:
    program = "import sys, portico.outbound; sys.exit(any(m in sys.modules for m in ('httpcore2', 'httpx2', 'h11')))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)

    assert await process.wait() == 0
