"""Clients known by their own documents: fetched through the gate, believed for a while, asked about anew."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from portico.oauth.errors import OAuthRefusal
from portico.oauth.models import OAuthClient
from portico.oauth.protocol.refusals import ErrorCode
from portico.oauth.protocol.rfc7591_registration import ClientMetadata
from portico.oauth.services.client_documents import ClientDocuments
from portico.oauth.services.client_registry import ClientRegistry
from portico.oauth.services.clients import Client, ClientBook
from portico.oauth.services.unused_clients import remove_unused_clients
from portico.oauth.types import ClientSource
from portico.outbound import Outbound
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.sinks import Behaviour, HttpSink, answering, breaking_off, dripping, endless

pytestmark = pytest.mark.anyio

CALLBACK = "http://localhost/callback"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "outbound": {"allow_loopback": True, "timeout": timedelta(seconds=1)},
        "logging": {"access": False},
    }


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with HttpSink() as sink:
        yield sink


def document_at(sink: HttpSink, headers: dict[str, str] | None = None, **members: Any) -> Behaviour:
    """Answer with the document of the client whose URL is that of the sink."""
    document = {"client_id": sink.url, "client_name": "App", "redirect_uris": [CALLBACK], **members}
    return answering(200, json.dumps(document).encode(), {**JSON, **(headers or {})})


async def found(runtime: Runtime, client_id: str) -> Client:
    client = await runtime.get(ClientBook).find(client_id)
    assert client is not None
    return client


async def refusal(runtime: Runtime, client_id: str) -> OAuthRefusal:
    with pytest.raises(OAuthRefusal) as refused:
        await runtime.get(ClientBook).find(client_id)
    return refused.value


async def rows(runtime: Runtime) -> list[OAuthClient]:
    async with runtime.reads() as session:
        return list((await session.scalars(select(OAuthClient))).all())


@pytest.mark.bar("A8-8.2", "A8-8.3", "A30-30.5")
async def test_client_is_as_its_document_says(runtime: Runtime, sink: HttpSink) -> None:
    sink.behaviour = document_at(sink, grant_types=["authorization_code", "refresh_token", "urn:example:x"])

    client = await found(runtime, sink.url)

    assert (client.client_id, client.source, client.is_public) == (sink.url, ClientSource.DOCUMENT, True)
    assert client.has_redirect("http://localhost:51234/callback")
    assert client.requires_pkce
    assert client.metadata.grant_types == ("authorization_code", "refresh_token")
    (request,) = sink.received
    assert (request.method, request.headers["accept"]) == ("GET", "application/json")
    assert not {"cookie", "authorization"} & request.headers.keys()


@pytest.mark.bar("A8-8.5")
async def test_document_is_fetched_once_as_long_as_it_is_believed(
    runtime: Runtime, sink: HttpSink, clock: FrozenClock
) -> None:
    sink.behaviour = document_at(sink, {"Cache-Control": "max-age=600"})

    for _ in range(3):
        await found(runtime, sink.url)
    clock.advance(timedelta(seconds=599))
    await found(runtime, sink.url)
    before = len(sink.received)
    clock.advance(timedelta(seconds=2))
    await found(runtime, sink.url)

    assert (before, len(sink.received)) == (1, 2)
    assert len(await rows(runtime)) == 1


@pytest.mark.bar("A8-8.5")
async def test_another_node_believes_what_the_database_has(runtime: Runtime, sink: HttpSink) -> None:
    sink.behaviour = document_at(sink)
    await found(runtime, sink.url)

    other = ClientBook(runtime)
    assert await other.find(sink.url) is not None
    await ClientDocuments(runtime).fetch(sink.url)

    assert len(sink.received) == 1


@pytest.mark.bar("A8-8.5")
async def test_those_who_ask_at_once_wait_for_one_fetch(runtime: Runtime, sink: HttpSink) -> None:
    arrived, release = asyncio.Event(), asyncio.Event()
    answer = document_at(sink)

    async def slow(request: Any, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await release.wait()
        await answer(request, writer)

    sink.behaviour = slow
    asking = [asyncio.create_task(found(runtime, sink.url)) for _ in range(20)]
    asking[0].cancel()  # who gives up takes nobody with him
    await arrived.wait()
    asking[1].cancel()
    release.set()
    clients = await asyncio.gather(*asking, return_exceptions=True)

    assert len(sink.received) == 1
    assert sum(isinstance(client, Client) for client in clients) == 18
    assert len(await rows(runtime)) == 1


def by_status(status: int) -> Behaviour:
    return answering(status, b'{"x": 1}', {**JSON, "Location": "https://app.example/client.json"})


@pytest.mark.bar("A8-8.2", "A8-8.5", "CHECK-16", "CHECK-22", "CHECK-20", "ASVS-15.3.2", "T9")
async def test_hostile_document_is_refused_within_bounds_and_not_remembered(
    runtime: Runtime, sink: HttpSink
) -> None:
    good = document_at(sink)
    body = json.dumps({"client_id": sink.url, "redirect_uris": [CALLBACK]}).encode()
    hostile = {
        "redirect": by_status(302),
        "permanent redirect": by_status(308),
        "not found": by_status(404),
        "no content": by_status(204),
        "other success": answering(203, body, JSON),
        "partial": answering(206, body, JSON),
        "fault": by_status(500),
        "page": answering(200, body, {"Content-Type": "text/html"}),
        "nameless": answering(200, body),
        "no json": answering(200, b"<html>", JSON),
        "list": answering(200, b"[1]", JSON),
        "twice": answering(200, b'{"client_id": "x", "client_id": "y"}', JSON),
        "deep": answering(200, b"[" * 10_000, JSON),
        "large": answering(200, body + b" " * 10_240, JSON),
        "ten gigabytes": endless(),
        "slow": dripping(),
        "broken": breaking_off(60),
        "compressed": answering(200, b"\x1f\x8b\x08\x00", {**JSON, "Content-Encoding": "gzip"}),
        "another's": answering(200, body.replace(b"/hook", b"/other"), JSON),
        "secret": document_at(sink, client_secret="x"),
        "symmetric": document_at(sink, token_endpoint_auth_method="client_secret_basic"),
        "no redirects": document_at(sink, redirect_uris=[]),
        "only bad redirects": document_at(sink, redirect_uris=["javascript:alert(1)"]),
        "script for a logo": document_at(sink, logo_uri="javascript:alert(1)"),
    }
    for name, behaviour in hostile.items():
        sink.behaviour = behaviour
        error = await refusal(runtime, sink.url)

        assert (name, error.error) == (name, ErrorCode.INVALID_CLIENT)
        assert (name, await rows(runtime)) == (name, [])
        assert "127.0.0.1" not in error.detail

    asked = len(sink.received)
    sink.behaviour = good
    await found(runtime, sink.url)
    assert len(sink.received) == asked + 1 == len(hostile) + 1


@pytest.mark.bar("A8-8.1", "CHECK-16")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_url_that_no_client_may_have_is_never_called(runtime: Runtime, sink: HttpSink) -> None:
    origin = sink.url.removesuffix("/hook")
    for url in (origin, origin + "/", f"{origin}/a/../hook", f"{origin}/%2e%2e/hook", f"{origin}/hook#x",
                sink.url.replace("http://", "http://user@"), "http://app.example/c", "https://"):  # fmt: skip
        assert (await refusal(runtime, url)).error is ErrorCode.INVALID_CLIENT

    assert sink.connections == 0
    assert await runtime.get(ClientBook).find("not-a-url") is None


@pytest.mark.parametrize("database_kind", ["sqlite"])
class TestInside:
    """A deployment as it is: no address inside is reached."""

    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"logging": {"access": False}}

    @pytest.mark.bar("A8-8.4", "CHECK-16", "A7-7.8")
    async def test_address_inside_gets_no_packet(self, runtime: Runtime, sink: HttpSink) -> None:
        for host in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "169.254.169.254", "10.0.0.1"):
            error = await refusal(runtime, f"https://{host}:{sink.port}/hook")

            assert (host, error.error) == (host, ErrorCode.INVALID_CLIENT)
        assert await runtime.get(ClientBook).find(sink.url) is None  # http is no document here

        assert sink.connections == 0


@pytest.mark.bar("A8-8.4", "CHECK-16")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_name_that_leads_inside_gets_no_packet(runtime: Runtime, sink: HttpSink) -> None:
    """A name is judged by the address that is connected to, not by what it was at another time."""
    settings = runtime.settings.outbound.model_copy(update={"allow_loopback": False})
    runtime.provide(Outbound, Outbound(settings, lambda _: _addresses("127.0.0.1")))

    error = await refusal(runtime, f"https://rebinding.example:{sink.port}/hook")

    assert error.error is ErrorCode.INVALID_CLIENT
    assert sink.connections == 0


async def _addresses(*given: str) -> tuple[str, ...]:
    return given


@pytest.mark.bar("A8-8.6", "CHECK-22")
async def test_change_of_what_people_consented_to_changes_the_fingerprint(
    runtime: Runtime, sink: HttpSink, clock: FrozenClock
) -> None:
    sink.behaviour = document_at(sink)
    first = await found(runtime, sink.url)
    clock.advance(timedelta(minutes=11))
    sink.behaviour = document_at(sink, contacts=["ops@app.example"])
    same = await found(runtime, sink.url)
    clock.advance(timedelta(minutes=11))
    sink.behaviour = document_at(sink, redirect_uris=["https://app.example/cb"])
    other = await found(runtime, sink.url)

    assert (same.key, other.key) == (first.key, first.key)
    assert same.fingerprint == first.fingerprint != other.fingerprint
    assert not other.has_redirect(CALLBACK)


@pytest.mark.bar("A8-8.5", "P43")
async def test_good_document_outlives_a_fault_of_its_server_for_a_day(
    runtime: Runtime, sink: HttpSink, clock: FrozenClock
) -> None:
    sink.behaviour = document_at(sink)
    await found(runtime, sink.url)
    sink.behaviour = by_status(503)
    clock.advance(timedelta(hours=23))

    await found(runtime, sink.url)
    await found(runtime, sink.url)
    asked = len(sink.received)
    clock.advance(timedelta(hours=1))

    assert asked == 2  # after half a minute it is tried again, not at each request
    assert (await refusal(runtime, sink.url)).error is ErrorCode.INVALID_CLIENT


@pytest.mark.bar("A8-8.5", "CHECK-3")
async def test_document_that_is_taken_back_is_believed_no_longer(
    runtime: Runtime, sink: HttpSink, clock: FrozenClock
) -> None:
    sink.behaviour = document_at(sink)
    await found(runtime, sink.url)
    clock.advance(timedelta(minutes=11))
    for gone in (by_status(404), by_status(410), document_at(sink, client_id="https://app.example/other")):
        sink.behaviour = gone

        assert (await refusal(runtime, sink.url)).error is ErrorCode.INVALID_CLIENT


@pytest.mark.bar("CHECK-3", "A8-8.9")
async def test_client_that_was_switched_off_stays_off_whatever_its_document_says(
    runtime: Runtime, sink: HttpSink, clock: FrozenClock
) -> None:
    sink.behaviour = document_at(sink)
    await found(runtime, sink.url)
    async with (unit := runtime.unit()):
        await unit.session.execute(update(OAuthClient).values(disabled_at=clock.now()))
    clock.advance(timedelta(minutes=11))
    sink.behaviour = document_at(sink, client_name="Another name")

    client = await found(runtime, sink.url)

    assert (client.is_off, client.name) == (True, "Another name")


@pytest.mark.bar("A7-7.5")
async def test_document_nobody_used_is_forgotten(
    runtime: Runtime, sink: HttpSink, clock: FrozenClock
) -> None:
    sink.behaviour = document_at(sink)
    await found(runtime, sink.url)
    clock.advance(timedelta(days=8))

    assert (await remove_unused_clients(runtime), await rows(runtime)) == (1, [])


@pytest.mark.parametrize("database_kind", ["sqlite"])
class TestHosts:
    """An operator who says whose clients are let in."""

    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        hosts = {
            "document_hosts": ["127.0.0.1", "good.example"],
            "denied_document_hosts": ["bad.good.example"],
        }
        return {"outbound": {"allow_loopback": True}, "oauth": hosts, "logging": {"access": False}}

    @pytest.mark.bar("A8-8.9")
    async def test_only_named_hosts_are_asked(self, runtime: Runtime, sink: HttpSink) -> None:
        sink.behaviour = document_at(sink)
        await found(runtime, sink.url)
        for host in (
            "evil.example",
            "bad.good.example",
            "x.bad.good.example",
            "notgood.example",
            "localhost",
        ):
            error = await refusal(runtime, f"https://{host}/client.json")

            assert (host, error.detail) == (host, "clients of this host are not let in")
        away = await refusal(runtime, "https://app.good.example/client.json")

        assert away.detail != "clients of this host are not let in"


@pytest.mark.parametrize("database_kind", ["sqlite"])
class TestOff:
    """A deployment that takes no documents."""

    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        off = {"client_documents": False}
        return {"outbound": {"allow_loopback": True}, "oauth": off, "logging": {"access": False}}

    @pytest.mark.bar("A4-4.4")
    async def test_nothing_is_fetched(self, runtime: Runtime, sink: HttpSink) -> None:
        assert await runtime.get(ClientBook).find(sink.url) is None
        assert sink.connections == 0

    @pytest.mark.bar("CHECK-22")
    async def test_who_came_before_is_not_taken_any_more(self, runtime: Runtime, sink: HttpSink) -> None:
        """Nobody looks at the document now: what it said once would be believed for ever."""
        metadata = ClientMetadata(token_endpoint_auth_method="none")
        registry = ClientRegistry(runtime, runtime.unit())
        await registry.register_client(metadata, ClientSource.DOCUMENT, client_id=sink.url)

        assert await runtime.get(ClientBook).find(sink.url) is None
