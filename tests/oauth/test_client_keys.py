"""Keys that clients publish: fetched through the gate, remembered, looked for again with restraint."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc7591_registration import ClientMetadata
from portico.oauth.services.client_keys import ClientKeys
from portico.oauth.services.clients import Client
from portico.oauth.types import ClientKey, ClientPolicy, ClientSource
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.sinks import Behaviour, HttpSink, answering, breaking_off, dripping, endless

pytestmark = pytest.mark.anyio

POINT = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}
"""The key of RFC 7517, appendix A.1."""


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "outbound": {"allow_loopback": True, "timeout": timedelta(seconds=1)},
        "logging": {"access": False},
    }


@pytest.fixture
def database_kind() -> str:
    """Nothing of it is in the database."""
    return "sqlite"


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with HttpSink() as sink:
        sink.behaviour = publishing("one")
        yield sink


def publishing(*kids: str, headers: dict[str, str] | None = None, **more: Any) -> Behaviour:
    document = {"keys": [{**POINT, "kid": kid, **more} for kid in kids]}
    return answering(
        200, json.dumps(document).encode(), {"Content-Type": "application/jwk-set+json", **(headers or {})}
    )


def client_with(**members: Any) -> Client:
    return Client(
        key=ClientKey(UUID(int=1)),
        client_id="c1",
        source=ClientSource.DYNAMIC,
        organization_id=None,
        metadata=ClientMetadata(token_endpoint_auth_method="private_key_jwt", **members),
        policy=ClientPolicy(),
        fingerprint="",
        secrets=(),
        is_off=False,
    )


async def kids(runtime: Runtime, client: Client, *, afresh: bool = False) -> Sequence[str | None]:
    return [key.kid for key in await runtime.get(ClientKeys).of(client, afresh=afresh)]


@pytest.mark.bar("A8-8.8", "A18-18.1")
async def test_registered_keys_are_read_and_nothing_is_fetched(runtime: Runtime, sink: HttpSink) -> None:
    client = client_with(jwks={"keys": [{**POINT, "kid": "own"}, {"kty": "unknown"}]}, jwks_uri=sink.url)

    assert await kids(runtime, client) == ["own"]
    assert await kids(runtime, client_with()) == []
    assert sink.connections == 0


@pytest.mark.bar("A8-8.8", "A18-18.1")
async def test_published_keys_are_fetched_once_as_long_as_they_are_believed(
    runtime: Runtime, sink: HttpSink, clock: FrozenClock
) -> None:
    client = client_with(jwks_uri=sink.url)
    sink.behaviour = publishing("one", headers={"Cache-Control": "max-age=100"})

    assert [await kids(runtime, client) for _ in range(3)] == [["one"]] * 3
    sink.behaviour = publishing("two")
    clock.advance(timedelta(seconds=99))
    before = await kids(runtime, client)
    clock.advance(timedelta(seconds=2))

    assert (before, await kids(runtime, client)) == (["one"], ["two"])
    assert len(sink.received) == 2


@pytest.mark.bar("A18-18.1")
async def test_unknown_key_makes_us_look_again_twice_a_minute_at_most(
    runtime: Runtime, sink: HttpSink, clock: FrozenClock
) -> None:
    client = client_with(jwks_uri=sink.url)
    await kids(runtime, client)
    sink.behaviour = publishing("one", "two")

    at_once = [await kids(runtime, client, afresh=True) for _ in range(5)]
    clock.advance(timedelta(seconds=30))
    later = [await kids(runtime, client, afresh=True) for _ in range(5)]

    assert (at_once, later) == ([["one"]] * 5, [["one", "two"]] * 5)
    assert len(sink.received) == 2


async def test_those_who_ask_at_once_wait_for_one_fetch(runtime: Runtime, sink: HttpSink) -> None:
    client = client_with(jwks_uri=sink.url)

    answers = await asyncio.gather(*(kids(runtime, client) for _ in range(20)))

    assert answers == [["one"]] * 20
    assert len(sink.received) == 1


@pytest.mark.bar("CHECK-16", "CHECK-20", "A7-7.8", "T9")
async def test_hostile_key_set_is_refused_within_bounds(
    runtime: Runtime, sink: HttpSink, clock: FrozenClock
) -> None:
    client = client_with(jwks_uri=sink.url)
    kind = {"Content-Type": "application/json"}
    hostile = {
        "redirect": answering(302, b"", {"Location": "https://app.example/jwks"}),
        "not found": answering(404, b"{}", kind),
        "page": answering(200, b"{}", {"Content-Type": "text/html"}),
        "no set": answering(200, b"[]", kind),
        "no json": answering(200, b"{", kind),
        "private": publishing("one", d="AAAA"),
        "shared": answering(200, b'{"keys": [{"kty": "oct", "k": "AAAA"}]}', kind),
        "ten gigabytes": endless(),
        "slow": dripping(),
        "broken": breaking_off(60),
    }
    for name, behaviour in hostile.items():
        sink.behaviour = behaviour
        with pytest.raises(Refused) as refused:
            await kids(runtime, client)
        clock.advance(timedelta(seconds=31))

        assert (name, refused.value.error) == (name, ErrorCode.INVALID_CLIENT)

    sink.behaviour = publishing("one")
    assert await kids(runtime, client) == ["one"]


@pytest.mark.bar("P43")
async def test_keys_outlive_a_fault_of_their_server_for_a_day(
    runtime: Runtime, sink: HttpSink, clock: FrozenClock
) -> None:
    client = client_with(jwks_uri=sink.url)
    await kids(runtime, client)
    clock.advance(timedelta(hours=1))
    sink.behaviour = answering(503)
    during = await kids(runtime, client)
    clock.advance(timedelta(hours=23))

    assert during == ["one"]
    with pytest.raises(Refused):
        await kids(runtime, client)


@pytest.mark.bar("A18-18.1", "CHECK-3")
@pytest.mark.parametrize("word", [answering(404), publishing("one", d="AAAA")], ids=["gone", "given away"])
async def test_keys_that_their_owner_takes_back_are_over(
    runtime: Runtime, sink: HttpSink, clock: FrozenClock, word: Behaviour
) -> None:
    client = client_with(jwks_uri=sink.url)
    await kids(runtime, client)
    clock.advance(timedelta(hours=1))
    sink.behaviour = word

    for _ in range(2):
        with pytest.raises(Refused):
            await kids(runtime, client)


@pytest.mark.bar("CHECK-16", "A7-7.8")
async def test_failed_fetch_is_not_repeated_at_once(
    runtime: Runtime, sink: HttpSink, clock: FrozenClock
) -> None:
    client = client_with(jwks_uri=sink.url)
    sink.behaviour = answering(404)
    for _ in range(10):
        with pytest.raises(Refused):
            await kids(runtime, client)

    assert len(sink.received) == 1
