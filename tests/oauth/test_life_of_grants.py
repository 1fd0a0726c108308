"""What ends a grant, and that nothing of it is good afterwards (P5 to P7 for tokens of clients)."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from portico.access.services import TenantGrants, Tenants
from portico.credentials.events import PasswordChanged
from portico.messaging import EventBus
from portico.sessions.services import Sessions
from portico.sessions.types import SessionEnd
from portico.users.services import Users
from tests.integration.ground import API
from tests.oauth.kit import House, TestClient

pytestmark = pytest.mark.anyio
OWN_API = "http://localhost:8000/api/v1"


async def me(house: House, token: str) -> int:
    house.http.cookies.clear()
    answer = await house.http.get(f"{API}/users/me", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code


async def connect(house: House, **parameters: str) -> tuple[TestClient, dict[str, str]]:
    client = await house.public_client()
    tokens = await house.tokens(client, resource=OWN_API, scope="user:self:read", **parameters)
    assert await me(house, tokens["access_token"]) == 200
    return client, tokens


async def test_a_client_acts_for_the_person_within_its_scopes(house: House) -> None:
    _, tokens = await connect(house)
    by_token = {"Authorization": f"Bearer {tokens['access_token']}"}

    own = await house.http.get(f"{API}/users/me", headers=by_token)
    sessions = await house.http.get(f"{API}/auth/sessions", headers=by_token)

    assert own.json()["id"] == str(house.people["ada"].id)
    assert (sessions.status_code, sessions.json()["code"]) == (403, "insufficient_scope")


async def test_a_token_for_another_audience_is_nobody_here(house: House) -> None:
    client = await house.public_client()
    identity = await house.tokens(client, scope="openid")
    tools = await house.tokens(client, scope="tools:read")

    assert await me(house, identity["access_token"]) == 401
    assert await me(house, tools["access_token"]) == 401
    assert await me(house, identity["id_token"]) == 401


async def sign_out(house: House) -> None:
    ada = house.people["ada"]
    sessions = Sessions(house.runtime, house.runtime.unit())
    await sessions.end_sessions_of(ada.id, SessionEnd.LOGGED_OUT)


async def switch_off(house: House) -> None:
    await Users(house.runtime, house.runtime.unit()).deactivate_user(house.people["ada"].id)


async def delete(house: House) -> None:
    await Users(house.runtime, house.runtime.unit()).delete_account(house.people["ada"].id)


@pytest.mark.parametrize("act", [sign_out, switch_off, delete])
async def test_what_ends_the_person_ends_his_clients(
    house: House, act: Callable[[House], Awaitable[None]]
) -> None:
    client, tokens = await connect(house)

    await act(house)

    assert await me(house, tokens["access_token"]) == 401
    refused = await house.refreshed(client, tokens["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


async def test_offline_access_outlives_the_session(house: House) -> None:
    client = await house.public_client()
    tokens = await house.tokens(client, scope="openid offline_access", prompt="consent")

    await sign_out(house)

    assert (await house.refreshed(client, tokens["refresh_token"])).status_code == 200


async def test_a_new_password_ends_everything_also_where_no_session_is_left(house: House) -> None:
    client = await house.public_client()
    tokens = await house.tokens(client, scope="openid offline_access", prompt="consent")
    waiting = await house.authorize(client, scope="openid offline_access", prompt="consent")
    await sign_out(house)

    async with (unit := house.runtime.unit()):
        changed = PasswordChanged(at=house.clock.now(), user_id=house.people["ada"].id)
        await house.runtime.get(EventBus).emit(changed, unit)

    assert (await house.refreshed(client, tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await house.exchanged(client, waiting)).json()["error"] == "invalid_grant"


async def test_leaving_an_organization_ends_what_acts_in_it(house: House) -> None:
    async with (unit := house.runtime.unit()):
        acme = await Tenants(house.runtime, unit).add_tenant()
        grants = TenantGrants(house.runtime, unit)
        await grants.set_roles(acme, house.people["bob"].id, ["owner"], actor=None)
        await grants.set_roles(acme, house.people["ada"].id, ["member"], actor=None)
    client = await house.public_client()
    tokens = await house.tokens(client, resource=OWN_API, scope="user:self:read")
    async with (unit := house.runtime.unit()):
        await TenantGrants(house.runtime, unit).set_roles(acme, house.people["ada"].id, [], actor=None)

    # The grant was given outside of any organization: it stays.
    assert (await house.refreshed(client, tokens["refresh_token"])).status_code == 200


async def test_a_code_that_comes_again_ends_everything(house: House) -> None:
    client = await house.public_client()
    back = await house.authorize(client, resource=OWN_API, scope="user:self:read")
    tokens = await house.exchange(client, back)

    again = await house.exchanged(client, back)

    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert await me(house, tokens["access_token"]) == 401
    assert (await house.refreshed(client, tokens["refresh_token"])).status_code == 400


async def test_a_refresh_token_that_comes_again_ends_everything(house: House) -> None:
    client, tokens = await connect(house)
    fresh = (await house.refreshed(client, tokens["refresh_token"])).json()

    house.clock.advance(timedelta(minutes=1))

    again = await house.refreshed(client, tokens["refresh_token"])

    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert await me(house, fresh["access_token"]) == 401
    assert (await house.refreshed(client, fresh["refresh_token"])).status_code == 400
