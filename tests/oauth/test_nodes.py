"""P6, P34: what is over for a client on one node is refused by another when that is answered, and keys follow.

Two nodes, each with a memory of its own, on one database. The other one has seen the token before: what it refuses it
has to learn.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from portico.app import assemble
from portico.composition import compose, opened
from portico.core.settings import Settings
from portico.feature import Feature
from portico.keys.services import KeyMaker, Keyring, rotate_keys
from portico.oauth.services.client_administration import ClientAdministration, ClientWish
from portico.testing.clock import FrozenClock
from portico.testing.keys import PooledKeys
from portico.users.services import Users
from tests.integration.ground import API
from tests.oauth.kit import House, TestClient
from tests.oauth.presenting import introspected, is_active, revoked, told, verified

pytestmark = [pytest.mark.anyio, pytest.mark.bar("P6", "P34", "CHECK-3")]

SCOPE = "openid user:self:read offline_access"
OWN_API = "http://localhost:8000/api/v1"


@pytest.fixture
async def there(
    settings: Settings, features: Sequence[Feature], clock: FrozenClock, house: House
) -> AsyncIterator[House]:
    """Return the house as another node of the same deployment serves it."""
    composed = compose(settings, features, clock=clock)
    composed.provide(KeyMaker, PooledKeys())
    async with opened(composed) as other:
        transport = httpx2.ASGITransport(app=assemble(other), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=settings.public_url) as client:
            yield House(other, client, clock, house.people)


class Connected:
    """A client with tokens of Ada's: one for userinfo, one for our API, and a refresh token."""

    def __init__(self, house: House, client: TestClient, tokens: Sequence[dict[str, Any]]) -> None:
        self.house, self.client = house, client
        self.identity, self.api = tokens

    async def seen(self, node: House) -> list[bool]:
        """Return who of a node lets it in: userinfo, our API, introspection, the token endpoint."""
        node.http.cookies.clear()
        bearer = {"Authorization": f"Bearer {self.api['access_token']}"}
        asked = await introspected(node, self.client, self.api["access_token"])
        refreshed = await node.refreshed(self.client, self.api["refresh_token"])
        return [
            (await told(node, self.identity["access_token"])).status_code == 200,
            (await node.http.get(f"{API}/users/me", headers=bearer)).status_code == 200,
            bool(asked.json().get("active")),
            refreshed.status_code == 200,
        ]


@pytest.fixture
async def connected(house: House) -> Connected:
    client = await house.client()
    identity = await house.tokens(client, scope="openid offline_access", prompt="consent")
    api = await house.tokens(client, scope=SCOPE, resource=OWN_API, prompt="consent")
    return Connected(house, client, [identity, api])


async def give_back(connected: Connected) -> None:
    for tokens in (connected.identity, connected.api):
        answer = await revoked(connected.house, connected.client, tokens["refresh_token"])
        assert answer.status_code == 200


async def disconnect(connected: Connected) -> None:
    house = connected.house
    house.http.cookies.clear()
    path = f"{API}/oauth/connections/{connected.client.key}"
    answer = await house.http.delete(path, headers=house.people["ada"].bearer)
    assert answer.status_code == 204, answer.text


async def replay(connected: Connected) -> None:
    """Show refresh tokens that were rotated away long ago."""
    for tokens in (connected.identity, connected.api):
        assert (await connected.house.refreshed(connected.client, tokens["refresh_token"])).status_code == 200
    connected.house.clock.advance(timedelta(seconds=11))
    for tokens in (connected.identity, connected.api):
        assert (await connected.house.refreshed(connected.client, tokens["refresh_token"])).status_code == 400


def administration(connected: Connected) -> ClientAdministration:
    return ClientAdministration(connected.house.runtime, connected.house.runtime.unit())


async def switch_off(connected: Connected) -> None:
    await administration(connected).disable_client(connected.client.key, actor=None)


async def delete(connected: Connected) -> None:
    await administration(connected).delete_client(
        connected.client.key, check_version=lambda _: None, actor=None
    )


async def switch_person_off(connected: Connected) -> None:
    runtime = connected.house.runtime
    await Users(runtime, runtime.unit()).deactivate_user(connected.house.people["ada"].id)


ENDINGS = (give_back, disconnect, replay, switch_off, delete, switch_person_off)


@pytest.mark.parametrize("ending", ENDINGS)
async def test_what_ends_on_one_node_is_refused_by_the_other_at_once(
    connected: Connected, there: House, ending: Callable[[Connected], Awaitable[None]]
) -> None:
    assert await connected.seen(there) == [True] * 4

    await ending(connected)

    assert await connected.seen(there) == [False] * 4
    assert await connected.seen(connected.house) == [False] * 4


async def test_one_access_token_that_is_given_back_is_refused_there_and_no_other(
    connected: Connected, there: House
) -> None:
    assert await connected.seen(there) == [True] * 4

    await revoked(connected.house, connected.client, connected.api["access_token"])

    assert await connected.seen(there) == [True, False, False, True]


async def test_a_client_that_is_changed_here_is_another_there(connected: Connected, there: House) -> None:
    wish = {"redirect_uri": "https://app.example/elsewhere", "scope": "openid"}
    assert (await there.ask(connected.client, **wish)).status_code == 400

    uris = [connected.client.redirect_uri, "https://app.example/elsewhere"]
    await administration(connected).change_client(
        connected.client.key,
        ClientWish(metadata={"redirect_uris": uris}),
        check_version=lambda _: None,
        actor=None,
    )

    assert (await there.ask(connected.client, **wish)).status_code in {302, 303}


@pytest.mark.bar("P31")
async def test_tokens_in_flight_are_good_while_keys_rotate(connected: Connected, there: House) -> None:
    """The other node knows the new key before the first token is signed by it, and keeps the old one."""
    clock, runtime = connected.house.clock, connected.house.runtime
    rotated = await rotate_keys(runtime, runtime.unit())
    assert await is_active(there, connected.client, connected.api["access_token"])
    assert rotated.signs_from - clock.now() > timedelta(minutes=1)
    await there.runtime.get(Keyring).reload()  # as each minute does by itself

    clock.advance(rotated.signs_from - clock.now())
    fresh = (await connected.house.refreshed(connected.client, connected.api["refresh_token"])).json()

    head, claims = await verified(there, fresh["access_token"])
    assert (head["kid"], claims["aud"]) == (rotated.kid, OWN_API)
    assert await is_active(there, connected.client, fresh["access_token"])
    again = (await there.refreshed(connected.client, fresh["refresh_token"])).json()
    assert (await verified(connected.house, again["access_token"]))[0]["kid"] == rotated.kid


async def test_nodes_race_for_a_code(house: House, there: House) -> None:
    client = await house.client()
    back = await house.authorize(client, scope="openid")

    nodes = [house, there] * 10
    answers = await asyncio.gather(*(node.exchanged(client, back) for node in nodes))

    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 19]
    [won] = [answer.json() for answer in answers if answer.is_success]
    assert [(await told(node, won["access_token"])).status_code for node in (house, there)] == [401, 401]
