"""CHECK-3 for clients: whatever ends a grant, a person, a session or a client ends what came of it, on every node.

A table of acts against a table of credentials. Each is used right before the act on both nodes, so that both believe
it from memory, and right after it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx2
import pytest

from portico.app import assemble, default_features
from portico.composition import compose, opened
from portico.core.ids import UserId
from portico.credentials.events import PasswordChanged
from portico.messaging import EventBus
from portico.oauth.services.client_administration import ClientAdministration
from portico.oauth.services.client_ending import delete_client
from portico.oauth.types import ClientPolicy, TokenFormat
from portico.sessions.services import Sessions
from portico.sessions.types import SessionEnd
from portico.users.events import UserClaimed
from portico.users.services import Users
from tests.oauth.kit import House, TestClient
from tests.oauth.presenting import TOOLS, is_active, revoked, told

pytestmark = pytest.mark.anyio

ISSUER = "http://localhost:8000"
API = f"{ISSUER}/api/v1"


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


@pytest.fixture(scope="module")
async def elsewhere(lasting_house: House) -> AsyncIterator[House]:
    """The same house, asked by a second node with caches and a log follower of its own."""
    settings = lasting_house.runtime.settings
    async with AsyncExitStack() as stack:
        composed = compose(settings, default_features(), clock=lasting_house.clock)
        other = await stack.enter_async_context(opened(composed))
        transport = httpx2.ASGITransport(app=assemble(other), raise_app_exceptions=False)
        client = httpx2.AsyncClient(transport=transport, base_url=settings.public_url)
        yield replace(lasting_house, http=await stack.enter_async_context(client))


@dataclass(frozen=True, slots=True)
class Scene:
    """A person, a client that he let in three times, and what it got; `guard` may ask about all of it."""

    house: House
    name: str
    guard: TestClient
    client: TestClient
    back: Mapping[str, str]
    identity: Mapping[str, str]
    tools: str
    api: str

    @property
    def user_id(self) -> UserId:
        return self.house.people[self.name].id

    async def good_at(self, house: House) -> dict[str, bool]:
        """Present everything to one node."""
        headers = {"Authorization": f"Bearer {self.api}"}
        return {
            "userinfo": (await told(house, self.identity["access_token"])).status_code == 200,
            "introspection": await is_active(house, self.guard, self.identity["access_token"]),
            "another resource": await is_active(house, self.guard, self.tools),
            "our API": (await house.http.get("/api/v1/users/me", headers=headers)).status_code == 200,
        }


async def set_up(house: House, name: str, policy: ClientPolicy) -> Scene:
    await house.person(name)
    client = await house.client(policy=policy)
    guard = await house.client(
        policy=ClientPolicy(resources=(ISSUER, TOOLS)), redirect_uris=[], grant_types=["client_credentials"]
    )
    back = await house.authorize(client, name)
    identity = await house.exchange(client, back)
    tools = await house.tokens(client, name, resource=TOOLS, scope="tools:read")
    api = await house.tokens(client, name, resource=API, scope="user:self:read")
    return Scene(house, name, guard, client, back, identity, tools["access_token"], api["access_token"])


async def give_the_refresh_token_back(scene: Scene) -> None:
    await revoked(scene.house, scene.client, scene.identity["refresh_token"])


async def show_the_code_again(scene: Scene) -> None:
    assert (await scene.house.exchanged(scene.client, scene.back)).status_code == 400


async def show_an_old_refresh_token(scene: Scene) -> None:
    await scene.house.refreshed(scene.client, scene.identity["refresh_token"])
    scene.house.clock.advance(timedelta(minutes=1))
    again = await scene.house.refreshed(scene.client, scene.identity["refresh_token"])
    assert again.status_code == 400


async def disconnect(scene: Scene) -> None:
    bearer = scene.house.people[scene.name].bearer
    answer = await scene.house.http.delete(f"/api/v1/oauth/connections/{scene.client.key}", headers=bearer)
    assert answer.status_code == 204, answer.text


async def sign_out(scene: Scene) -> None:
    await scene.house.get(f"/oauth/logout?id_token_hint={scene.identity['id_token']}", scene.name)


async def end_all_sessions(scene: Scene) -> None:
    runtime = scene.house.runtime
    await Sessions(runtime, runtime.unit()).end_sessions_of(scene.user_id, SessionEnd.REVOKED)


async def change_password(scene: Scene) -> None:
    runtime = scene.house.runtime
    async with (unit := runtime.unit()):
        event = PasswordChanged(at=runtime.clock.now(), user_id=scene.user_id)
        await runtime.get(EventBus).emit(event, unit)


async def claim(scene: Scene) -> None:
    runtime = scene.house.runtime
    async with (unit := runtime.unit()):
        event = UserClaimed(at=runtime.clock.now(), user_id=scene.user_id)
        await runtime.get(EventBus).emit(event, unit)


async def deactivate(scene: Scene) -> None:
    runtime = scene.house.runtime
    await Users(runtime, runtime.unit()).deactivate_user(scene.user_id)


async def delete_the_person(scene: Scene) -> None:
    runtime = scene.house.runtime
    await Users(runtime, runtime.unit()).delete_account(scene.user_id)


async def disable_the_client(scene: Scene) -> None:
    runtime = scene.house.runtime
    await ClientAdministration(runtime, runtime.unit()).disable_client(scene.client.key, actor=None)


async def delete_the_client(scene: Scene) -> None:
    runtime = scene.house.runtime
    async with (unit := runtime.unit()):
        await delete_client(runtime, unit, scene.client.key, scene.client.client_id)


type Act = Callable[[Scene], Awaitable[None]]
OF_ONE_GRANT: tuple[Act, ...] = (
    give_the_refresh_token_back,
    show_the_code_again,
    show_an_old_refresh_token,
)
OF_EVERYTHING: tuple[Act, ...] = (
    disconnect,
    sign_out,
    end_all_sessions,
    change_password,
    claim,
    deactivate,
    delete_the_person,
    disable_the_client,
    delete_the_client,
)


CELLS = [
    *((act, TokenFormat.JWT) for act in (*OF_ONE_GRANT, *OF_EVERYTHING)),
    *((act, TokenFormat.OPAQUE) for act in (give_the_refresh_token_back, sign_out, disable_the_client)),
]


@pytest.mark.bar("CHECK-3", "P6", "ASVS-10.4.9")
@pytest.mark.parametrize(("act", "form"), CELLS, ids=lambda each: getattr(each, "__name__", str(each)))
async def test_nothing_survives_on_any_node(
    house: House, elsewhere: House, act: Act, form: TokenFormat
) -> None:
    name = f"{act.__name__.replace('_', '-')}-{form.value}"
    scene = await set_up(house, name, ClientPolicy(token_format=form))
    for node in (house, elsewhere):
        assert all((await scene.good_at(node)).values())

    await act(scene)

    others = act in OF_ONE_GRANT
    for node in (elsewhere, house):
        assert await scene.good_at(node) == {
            "userinfo": False,
            "introspection": False,
            "another resource": others,
            "our API": others,
        }
    refused = await house.refreshed(scene.client, scene.identity["refresh_token"])
    assert refused.status_code in {400, 401}
