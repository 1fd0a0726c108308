"""A small API that has no Portico, with tokens of a real one elsewhere: by its keys, and by asking it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import pytest
import uvicorn
from fastapi import FastAPI

from portico.oauth.services.grants import Grants
from portico.oauth.types import ClientPolicy, GrantEnd, TokenFormat
from portico.resource_server import IntrospectionClient, ProtectedResource, protected_resource
from portico.testing.clock import FrozenClock
from tests.oauth.conftest import house
from tests.oauth.kit import House, claims_of
from tests.resource_server.conftest import API, LIMITS, SCOPES, Api
from tests.sessions.people import FAST_HASHES

__all__ = ["house"]

pytestmark = pytest.mark.anyio


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def settings_overrides(listener: socket.socket) -> dict[str, Any]:
    return {
        "public_url": f"http://127.0.0.1:{listener.getsockname()[1]}",
        "credentials": FAST_HASHES,
        "oauth": {"resources": [{"identifier": API, "name": "Notes", "scopes": SCOPES}]},
    }


@pytest.fixture
async def issuer_url(app: FastAPI, listener: socket.socket) -> AsyncIterator[str]:
    """Serve the Portico under test for real, and return its issuer."""
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, ws="none"))
    with contextlib.suppress(asyncio.CancelledError):
        serving = asyncio.create_task(server.serve(sockets=[listener.dup()]))
        while not server.started:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        yield app.state.runtime.settings.public_url
        server.should_exit = True
        await serving


@contextlib.asynccontextmanager
async def notes(issuer_url: str, clock: FrozenClock, **given: Any) -> AsyncIterator[ProtectedResource]:
    resource = protected_resource(
        API, scopes=SCOPES, authorization_server=issuer_url, outbound=LIMITS, clock=clock, **given
    )
    yield resource
    await resource.close()


@pytest.mark.bar("A30-30.22", "A11-11.1", "A6-6.3")
async def test_by_its_keys(house: House, issuer_url: str, clock: FrozenClock) -> None:
    client = await house.public_client()
    good = await house.tokens(client, resource=API, scope="notes:read")
    at_userinfo = await house.tokens(client)
    async with notes(issuer_url, clock) as resource:
        api = Api(resource)
        answers = [
            await api.read(token)
            for token in (good["access_token"], at_userinfo["access_token"], at_userinfo["id_token"])
        ]

    assert [answer.status_code for answer in answers] == [200, 401, 401]
    assert answers[0].json()["sub"] == str(house.people["ada"].id)


@pytest.mark.bar("A10-10.1", "A30-30.22")
async def test_by_asking(house: House, issuer_url: str, clock: FrozenClock) -> None:
    asking = await house.client(
        redirect_uris=[], grant_types=["client_credentials"], policy=ClientPolicy(resources=(API,))
    )
    stranger = await house.client(redirect_uris=[], grant_types=["client_credentials"])
    opaque = await house.client(policy=ClientPolicy(token_format=TokenFormat.OPAQUE))
    tokens = await house.tokens(opaque, resource=API, scope="notes:read")
    signed = await house.tokens(await house.public_client(), resource=API, scope="notes:read")
    who = IntrospectionClient(asking.client_id, asking.secret or "")
    nobody = IntrospectionClient(stranger.client_id, stranger.secret or "")
    async with (
        notes(issuer_url, clock, introspection=who) as resource,
        notes(issuer_url, clock, introspection=nobody) as other,
    ):
        api, at_stranger = Api(resource), Api(other)
        passed = [(await api.read(each["access_token"])).status_code for each in (tokens, signed)]
        refused = [
            (await api.read(tokens["refresh_token"])).status_code,
            (await at_stranger.read(tokens["access_token"])).status_code,
        ]
        grant_id = UUID(claims_of(signed["access_token"])["grant_id"])
        await Grants(house.runtime, house.runtime.unit()).end([grant_id], GrantEnd.REVOKED_BY_PERSON)
        async with notes(issuer_url, clock, introspection=who) as fresh:
            ended = (await Api(fresh).read(signed["access_token"])).status_code

    assert (passed, refused, ended) == ([200, 200], [401, 401], 401)
