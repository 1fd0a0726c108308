"""CHECK-3: nothing more comes of what was granted in an organization while that is switched off or deleted."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx2
import pytest

from portico.core.ids import OrganizationId, SessionId
from portico.http.authentication import CredentialKind, Principal, PrincipalKind
from portico.oauth.services.authorizing import Choice
from portico.oauth.services.devices import Devices
from portico.organizations.services import OrganizationLifecycle
from portico.runtime import Runtime
from portico.testing.organizations import TestOrganization, TestOrganizations
from tests.oauth.kit import House, TestClient, claims_of, returned
from tests.oauth.pages import answer, consent_page, newcomer
from tests.oauth.presenting import is_active
from tests.oauth.test_device import begin, poll, television

pytestmark = [pytest.mark.anyio, pytest.mark.bar("CHECK-3")]

TOOLS = {"scope": "openid tools:read", "resource": "https://api.example.com/mcp"}


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


@pytest.fixture
async def person(house: House) -> str:
    return await newcomer(house)


@pytest.fixture
async def organization(house: House, person: str) -> TestOrganization:
    return await TestOrganizations(house.runtime).make(house.people[person].id)


def signed_in(house: House, name: str) -> Principal:
    """Return the person as a request knows him that has just arrived."""
    person = house.people[name]
    return Principal(
        id=person.id,
        kind=PrincipalKind.USER,
        credential=CredentialKind.COOKIE,
        session_id=SessionId(person.opened.session.id),
        auth_time=house.clock.now(),
        amr=("pwd",),
    )


async def switch_off(runtime: Runtime, organization_id: OrganizationId) -> None:
    await OrganizationLifecycle(runtime, runtime.unit()).disable(organization_id, actor=None)


async def delete(runtime: Runtime, organization_id: OrganizationId) -> None:
    lifecycle = OrganizationLifecycle(runtime, runtime.unit())
    await lifecycle.delete(organization_id, actor=None, permission=None)


async def switch_on(runtime: Runtime, organization_id: OrganizationId) -> None:
    await OrganizationLifecycle(runtime, runtime.unit()).enable(organization_id, actor=None)


class TestOrganizationOff:
    """What was let into it gets nothing more; its tokens were refused before."""

    @pytest.mark.parametrize("act", [switch_off, delete])
    async def test_nothing_comes_of_what_was_granted_in_it(
        self,
        house: House,
        person: str,
        organization: TestOrganization,
        act: Callable[[Runtime, OrganizationId], Awaitable[None]],
    ) -> None:
        client, back, refresh_token = await _connected(house, person, organization)
        device, waiting = await _connected_television(house, person, organization)

        await act(house.runtime, organization.id)

        for refused in (
            await house.exchanged(client, back),
            await house.exchanged(client, back, scope="tools:read"),
            await house.refreshed(client, refresh_token),
            await house.refreshed(client, refresh_token, scope="tools:read"),
            await poll(house, device, waiting),
        ):
            assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        assert not await is_active(house, client, refresh_token)

    async def test_all_of_it_goes_on_where_it_is_switched_on_again(
        self, house: House, person: str, organization: TestOrganization
    ) -> None:
        client, back, refresh_token = await _connected(house, person, organization)
        await switch_off(house.runtime, organization.id)
        await house.refreshed(client, refresh_token)

        await switch_on(house.runtime, organization.id)

        for good in (await house.exchanged(client, back), await house.refreshed(client, refresh_token)):
            assert good.status_code == 200, good.text
            assert claims_of(good.json()["access_token"])["org_id"] == str(organization.id)

    async def test_its_tokens_are_good_for_nothing_at_our_own_api(
        self, house: House, person: str, organization: TestOrganization
    ) -> None:
        client = await house.client()
        own = {"scope": "user:self:read", "resource": f"{house.runtime.settings.public_url}/api/v1"}
        page = await consent_page(house, client, person, **own)
        let_in = await answer(house, page, person, organization_id=str(organization.id))
        token = (await house.exchange(client, returned(let_in)))["access_token"]
        assert (await _me(house, token)).status_code == 200

        await switch_off(house.runtime, organization.id)

        assert (await _me(house, token)).status_code == 401


async def _me(house: House, token: str) -> httpx2.Response:
    house.http.cookies.clear()
    return await house.http.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})


async def _connected(
    house: House, person: str, organization: TestOrganization
) -> tuple[TestClient, Mapping[str, str], str]:
    """Return a client that works there, a code that it has not spent yet, and a refresh token."""
    client = await house.client()
    page = await consent_page(house, client, person, **TOOLS)
    first = returned(await answer(house, page, person, organization_id=str(organization.id)))
    tokens = await house.exchange(client, first)
    return client, returned(await house.ask(client, person, **TOOLS)), tokens["refresh_token"]


async def _connected_television(
    house: House, person: str, organization: TestOrganization
) -> tuple[TestClient, Mapping[str, Any]]:
    """Return a television that was let in there and has not fetched its tokens yet."""
    client = await television(house)
    waiting = await begin(house, client)
    devices, choice = Devices(house.runtime), Choice(organization.id)
    await devices.approve(waiting["user_code"], signed_in(house, person), choice=choice)
    return client, waiting
