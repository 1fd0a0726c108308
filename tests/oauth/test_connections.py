"""What a person has connected: seen, and ended with one click (pages and API)."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from portico.oauth.types import ClientPolicy, ClientSource
from portico.testing.organizations import TestOrganizations
from tests.integration.ground import assert_problem
from tests.oauth.kit import House, TestClient
from tests.oauth.pages import answer, consent_page, newcomer, post, words_of

pytestmark = pytest.mark.anyio

API = "/api/v1/oauth/connections"
PAGE = "/account/applications"
MCP = "https://api.example.com/mcp"


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


@pytest.fixture
async def eva(house: House) -> str:
    return await newcomer(house)


async def listed(house: House, person: str) -> list[dict[str, Any]]:
    answered = await house.http.get(API, headers=house.people[person].bearer)
    assert answered.status_code == 200, answered.text
    found: list[dict[str, Any]] = answered.json()["data"]
    return found


async def ended(house: House, person: str, client: TestClient) -> httpx2.Response:
    return await house.http.delete(f"{API}/{client.key}", headers=house.people[person].bearer)


class TestList:
    """Every application, once, with all that it may do."""

    async def test_it_is_empty_at_first(self, house: House, eva: str) -> None:
        assert await listed(house, eva) == []
        assert "No application works with your account" in words_of(await house.get(PAGE, eva))

    async def test_it_says_what_the_client_may_do_and_where(self, house: House, eva: str) -> None:
        acme = await TestOrganizations(house.runtime).make(house.people[eva].id)
        client = await house.client(
            source=ClientSource.DOCUMENT,
            client_id=f"https://tools.example.net/{uuid4()}",
            client_name="Weaver",
            client_uri="https://weaver.example/",
            token_endpoint_auth_method="none",
        )
        page = await consent_page(house, client, eva, scope="openid tools:read", resource=MCP)
        await answer(house, page, eva, organization_id=str(acme.id))

        [found] = await listed(house, eva)
        shown = words_of(await house.get(PAGE, eva))

        assert found["client_id"] == client.client_id
        assert found["name"] == "Weaver"
        assert found["scopes"] == ["openid", "tools:read"]
        assert found["resources"] == [MCP]
        assert found["organization_ids"] == [str(acme.id)]
        assert "Weaver" in shown
        assert "tools.example.net" in shown
        assert acme.name in shown
        assert "Know who you are" in shown
        assert "Read your tools" in shown

    async def test_several_grants_to_one_client_are_one_connection(self, house: House, eva: str) -> None:
        client = await house.client()
        await house.tokens(client, eva, scope="openid")
        house.clock.advance(timedelta(minutes=1))
        await house.tokens(client, eva, scope="openid email")

        [found] = await listed(house, eva)

        assert found["scopes"] == ["openid", "email"]
        assert found["last_used_at"] is not None

    async def test_the_last_connected_comes_first(self, house: House, eva: str) -> None:
        names: list[str] = []
        for _ in range(3):
            client = await house.client()
            await house.tokens(client, eva)
            house.clock.advance(timedelta(seconds=1))
            names.insert(0, client.client_id)

        assert [each["client_id"] for each in await listed(house, eva)] == names

    async def test_clients_that_ask_for_nothing_stand_there_too(self, house: House, eva: str) -> None:
        """The team's own: nobody was asked, and yet they may act."""
        client = await house.client(policy=ClientPolicy(is_trusted=True))
        await house.tokens(client, eva)

        assert [each["client_id"] for each in await listed(house, eva)] == [client.client_id]

    async def test_a_code_that_nobody_fetched_connects_nothing(self, house: House, eva: str) -> None:
        client = await house.client(policy=ClientPolicy(is_trusted=True))
        await house.ask(client, eva)
        house.clock.advance(timedelta(minutes=2))

        assert await listed(house, eva) == []

    @pytest.mark.bar("CHECK-2")
    async def test_nobody_sees_what_others_connected(self, house: House, eva: str) -> None:
        client = await house.client()
        await house.tokens(client, await newcomer(house))

        assert await listed(house, eva) == []


class TestDisconnecting:
    """All of it ends, at once, and is asked for again."""

    @pytest.mark.bar("CHECK-3")
    async def test_tokens_of_it_are_refused_at_once(self, house: House, eva: str) -> None:
        own = house.runtime.settings.public_url + "/api/v1"
        client = await house.public_client()
        tokens = await house.tokens(client, eva, scope="user:self:read offline_access", resource=own)
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await house.http.get("/api/v1/users/me", headers=bearer)).status_code == 200

        assert (await ended(house, eva, client)).status_code == 204

        assert (await house.http.get("/api/v1/users/me", headers=bearer)).status_code == 401
        refreshed = await house.refreshed(client, tokens["refresh_token"])
        assert refreshed.json()["error"] == "invalid_grant"
        assert await listed(house, eva) == []

    async def test_a_code_that_is_on_its_way_is_worth_nothing(self, house: House, eva: str) -> None:
        client = await house.client()
        back = await house.authorize(client, eva)

        await ended(house, eva, client)

        answered = await house.exchanged(client, back)
        assert answered.json()["error"] == "invalid_grant"

    async def test_the_person_is_asked_again(self, house: House, eva: str) -> None:
        client = await house.client()
        await house.tokens(client, eva)

        await ended(house, eva, client)

        asked = await house.ask(client, eva)
        assert asked.headers["location"].startswith("/oauth/consent")

    async def test_others_stay_connected(self, house: House, eva: str) -> None:
        client, other = await house.client(), await house.client()
        await house.tokens(client, eva)
        kept = await house.tokens(other, eva)
        theirs = await house.tokens(client, "ada")

        await ended(house, eva, client)

        assert [each["client_id"] for each in await listed(house, eva)] == [other.client_id]
        for holder, tokens in ((other, kept), (client, theirs)):
            refreshed = await house.refreshed(holder, tokens["refresh_token"])
            assert refreshed.status_code == 200, refreshed.text

    async def test_what_is_not_connected_cannot_be_ended(self, house: House, eva: str) -> None:
        client = await house.client()
        await house.tokens(client, "ada")

        answered = await ended(house, eva, client)

        assert_problem(answered, 404, code="grant_not_found")
        assert (await house.http.get(API, headers=house.people["ada"].bearer)).json()["data"]

    async def test_one_click_at_the_page_is_enough(self, house: House, eva: str) -> None:
        client = await house.client(client_name="Weaver")
        tokens = await house.tokens(client, eva)
        page = await house.get(PAGE, eva)

        done = await post(house, page, f"{PAGE}/disconnect", eva)

        assert done.status_code == 303
        assert done.headers["location"] == PAGE
        assert "Weaver" not in words_of(await house.get(PAGE, eva))
        assert (await house.refreshed(client, tokens["refresh_token"])).status_code == 400

    @pytest.mark.bar("CHECK-18")
    async def test_a_click_without_the_token_of_the_session_is_none(self, house: House, eva: str) -> None:
        client = await house.client()
        await house.tokens(client, eva)

        forged = await house.http.post(
            f"{PAGE}/disconnect", data={"client_key": str(client.key)}, headers=house.cookie(eva)
        )

        assert forged.status_code == 403
        assert len(await listed(house, eva)) == 1

    async def test_it_stands_on_the_trail(self, house: House, eva: str) -> None:
        client = await house.client()
        await house.tokens(client, eva)
        await ended(house, eva, client)
        boss = await newcomer(house, superuser=True)

        trail = await house.http.get(
            "/api/v1/admin/audit",
            params={"actor_id": str(house.people[eva].id), "page_size": 50},
            headers=house.people[boss].bearer,
        )

        actions = {entry["action"] for entry in trail.json()["data"]}
        assert {"oauth.consent.given", "oauth.consent.withdrawn", "oauth.grant.ended"} <= actions


async def test_no_application_disconnects_another(house: House, eva: str) -> None:
    """Disconnecting is the person's own: no scope stands for it, and no token of a client does it."""
    victim, client = await house.client(), await house.client()
    await house.tokens(victim, eva, scope="openid")
    own_api = "http://localhost:8000/api/v1"

    asked = await house.authorize(client, eva, resource=own_api, scope="oauth:self:revoke")
    token = (await house.tokens(client, eva, resource=own_api, scope="oauth:self:read"))["access_token"]
    refused = await house.http.delete(f"{API}/{victim.key}", headers={"Authorization": f"Bearer {token}"})

    assert asked["error"] == "invalid_scope"
    assert refused.status_code == 403
    assert len(await listed(house, eva)) == 2
