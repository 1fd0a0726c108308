"""Tokens of an authorization server that is asked about each of them (RFC 7662)."""

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from portico.resource_server import IntrospectionClient
from portico.testing.clock import FrozenClock
from portico.testing.sinks import answering
from tests.resource_server.conftest import API, Api, Declaring, Issuer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api(declared: Declaring, asking: IntrospectionClient) -> AsyncIterator[Api]:
    notes = declared(introspection=asking)
    yield Api(notes)
    await notes.close()


def active(issuer: Issuer, **changes: Any) -> dict[str, Any]:
    return {"active": True, "token_type": "Bearer", **issuer.claims(**changes)}


async def test_active_token_names_its_holder(api: Api, issuer: Issuer) -> None:
    issuer.answers["opaque"] = active(issuer, scope="notes:read", iss=None)
    answer = await api.read("opaque")

    assert (answer.status_code, answer.json()["sub"]) == (200, "ada")
    asked = issuer.sink.received[-1]
    assert asked.body == b"token=opaque&token_type_hint=access_token"
    assert base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")) == b"the+api:s3cret%26more"


@pytest.mark.bar("A30-30.22", "A2-2.2")
@pytest.mark.parametrize(
    "changes",
    [
        {"active": False},
        {"active": "true"},
        {"active": None},
        {"aud": "https://api.example.com/other"},
        {"aud": [API, "https://other.example"]},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"exp": None},
        {"client_id": None},
    ],
    ids=repr,
)
async def test_everything_else_is_refused(api: Api, issuer: Issuer, changes: dict[str, Any]) -> None:
    said = active(issuer) | changes
    issuer.answers["opaque"] = {name: value for name, value in said.items() if value is not None}

    assert (await api.read("opaque")).status_code == 401


async def test_answer_is_believed_for_a_moment(api: Api, issuer: Issuer, clock: FrozenClock) -> None:
    issuer.answers["opaque"] = active(issuer)
    first = await api.read("opaque")
    issuer.answers.clear()
    second = await api.read("opaque")
    clock.advance(timedelta(seconds=10))
    third = await api.read("opaque")

    assert [first.status_code, second.status_code, third.status_code] == [200, 200, 401]


async def test_answer_is_not_believed_past_the_end_of_the_token(
    api: Api, issuer: Issuer, clock: FrozenClock
) -> None:
    issuer.answers["opaque"] = active(issuer, exp=int(clock.now().timestamp()) + 3)
    before = await api.read("opaque")
    clock.advance(timedelta(seconds=3))
    after = await api.read("opaque")

    assert (before.status_code, after.status_code) == (200, 401)


async def test_refusal_is_not_remembered(api: Api, issuer: Issuer) -> None:
    before = await api.read("opaque")
    issuer.answers["opaque"] = active(issuer)
    after = await api.read("opaque")

    assert (before.status_code, after.status_code) == (401, 200)


@pytest.mark.bar("ASVS-16.5.2")
@pytest.mark.parametrize("status", [200, 302, 401, 500])
async def test_server_that_gives_no_answer_lets_nobody_in(api: Api, issuer: Issuer, status: int) -> None:
    issuer.answers["opaque"] = active(issuer)
    await api.read("other")
    issuer.sink.behaviour = answering(status, b"no answer")

    assert (await api.read("opaque")).status_code == 503


async def test_secret_is_not_shown() -> None:
    assert "s3cret" not in repr(IntrospectionClient("api", "s3cret"))
