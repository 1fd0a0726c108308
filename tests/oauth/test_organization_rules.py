"""What organizations say of the applications that their members connect: let in, asked for, kept out."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from portico.oauth.types import ClientPolicy
from portico.testing.organizations import TestOrganization, TestOrganizations
from tests.integration.ground import assert_problem
from tests.oauth.kit import House, TestClient, claims_of, returned
from tests.oauth.pages import answer, consent_page, fields_of, newcomer, options_of, post, words_of, work_in

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class Office:
    """An organization, its owner and a member, by their names in the house."""

    house: House
    organization: TestOrganization
    owner: str
    member: str

    @property
    def id(self) -> str:
        return str(self.organization.id)

    @property
    def api(self) -> str:
        return f"{self.organization.path}/oauth"

    @property
    def page(self) -> str:
        return f"/account/organizations/{self.id}/applications"

    async def call(self, method: str, path: str, person: str | None = None, **kwargs: Any) -> Any:
        bearer = self.house.people[person or self.owner].bearer
        return await self.house.http.request(method, f"{self.api}{path}", headers=bearer, **kwargs)

    async def listed(self) -> dict[str, Any]:
        answered = await self.call("GET", "/connections")
        assert answered.status_code == 200, answered.text
        found: dict[str, Any] = answered.json()
        return found

    async def default(self, default: str) -> None:
        answered = await self.call("PUT", "/rules", json={"default": default})
        assert answered.status_code == 200, answered.text

    async def rule(self, client: TestClient, verdict: str, person: str | None = None) -> Any:
        return await self.call("PUT", f"/rules/{client.key}", person, json={"verdict": verdict})

    async def connect(self, client: TestClient, person: str | None = None, **parameters: Any) -> Any:
        """Have a member let the client into the organization; return the answer of the page."""
        person = person or self.member
        page = await consent_page(self.house, client, person, **parameters)
        return await answer(self.house, page, person, organization_id=self.id)


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


@pytest.fixture
async def office(house: House) -> Office:
    organizations = TestOrganizations(house.runtime)
    owner, member = await newcomer(house), await newcomer(house)
    organization = await organizations.make(house.people[owner].id)
    await organizations.join(organization, house.people[member].account)
    return Office(house, organization, owner, member)


class TestSeeing:
    """Who administers sees what works there."""

    async def test_what_members_connected_stands_there(self, house: House, office: Office) -> None:
        client = await house.client(client_name="Weaver")
        await office.connect(client)

        found = await office.listed()
        page = words_of(await house.get(office.page, office.owner))

        assert found["default"] == "allow"
        assert [(each["client_id"], each["people"]) for each in found["data"]] == [(client.client_id, 1)]
        assert found["data"][0]["admission"] == "allowed"
        assert "Weaver" in page
        assert "connected by 1 member" in page

    @pytest.mark.bar("CHECK-2")
    async def test_what_they_connected_for_themselves_does_not(self, house: House, office: Office) -> None:
        """What a person does in his own name is nobody's affair."""
        await house.authorize(await house.client(), office.member)

        assert (await office.listed())["data"] == []

    @pytest.mark.bar("CHECK-1", "CHECK-2")
    async def test_members_and_strangers_see_and_rule_nothing(self, house: House, office: Office) -> None:
        client = await house.client()
        await office.connect(client)

        for person, status in ((office.member, 403), ("bob", 404)):
            assert (await office.call("GET", "/connections", person)).status_code == status
            assert (await office.rule(client, "denied", person)).status_code == status
            put = await office.call("PUT", "/rules", person, json={"default": "deny"})
            assert put.status_code == status
            assert (await office.call("DELETE", f"/rules/{client.key}", person)).status_code == status
        assert (await office.listed())["data"][0]["admission"] == "allowed"

    async def test_the_tab_is_for_those_who_may_see_it(self, house: House, office: Office) -> None:
        path = f"/account/organizations/{office.id}"

        assert f'href="{office.page}"' in (await house.get(path, office.owner)).text
        assert f'href="{office.page}"' not in (await house.get(path, office.member)).text


class TestKeepingOut:
    """A word against an application ends what it has, and keeps it out."""

    @pytest.mark.bar("CHECK-3")
    async def test_what_it_was_granted_there_ends_at_once(self, house: House, office: Office) -> None:
        client = await house.client()
        own = house.runtime.settings.public_url + "/api/v1"
        asked = {"scope": "organization:organization:read", "resource": own}
        tokens = await house.exchange(client, returned(await office.connect(client, **asked)))
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await house.http.get(office.organization.path, headers=bearer)).status_code == 200

        ruled = await office.rule(client, "denied")

        assert ruled.status_code == 200, ruled.text
        assert ruled.json()["admission"] == "denied"
        assert ruled.json()["people"] == 0
        assert (await house.http.get(office.organization.path, headers=bearer)).status_code == 401
        assert (await house.refreshed(client, tokens["refresh_token"])).json()["error"] == "invalid_grant"

    async def test_what_it_was_granted_elsewhere_goes_on(self, house: House, office: Office) -> None:
        client = await house.client()
        await office.connect(client)
        alone = await house.tokens(client, office.owner)

        await office.rule(client, "denied")

        assert (await house.refreshed(client, alone["refresh_token"])).status_code == 200

    async def test_it_is_offered_there_no_more(self, house: House, office: Office) -> None:
        client = await house.client()
        await office.connect(client)
        await office.rule(client, "denied")

        page = await consent_page(house, client, office.member)

        assert office.organization.name not in options_of(page)
        given = await answer(house, page, office.member, organization_id=office.id)
        assert given.status_code == 400

    async def test_who_works_there_is_sent_back_with_access_denied(
        self, house: House, office: Office
    ) -> None:
        client = await house.client()
        await office.connect(client)
        await office.rule(client, "denied")
        await work_in(house, office.member, office.organization)

        for more in ({}, {"prompt": "none"}, {"prompt": "consent"}):
            back = returned(await house.ask(client, office.member, **more))
            assert back["error"] == "access_denied"

    async def test_a_page_that_was_open_before_gives_nothing(self, house: House, office: Office) -> None:
        client = await house.client()
        await office.connect(client)
        page = await consent_page(house, client, office.member, prompt="consent")
        await office.rule(client, "denied")

        given = await answer(house, page, office.member, organization_id=office.id)

        assert given.status_code == 400

    @pytest.mark.bar("CHECK-12")
    async def test_no_grant_slips_in_beside_the_word(self, house: House, office: Office) -> None:
        """Somebody clicks while an administrator decides: either it is ended, or it was never given."""
        client = await house.client()
        await office.connect(client)
        pages = [await consent_page(house, client, office.member, prompt="consent") for _ in range(6)]

        answers = await asyncio.gather(
            *(answer(house, page, office.member, organization_id=office.id) for page in pages[:3]),
            office.rule(client, "denied"),
            *(answer(house, page, office.member, organization_id=office.id) for page in pages[3:]),
        )

        for given in answers:
            if given.status_code == 303:
                answered = await house.exchanged(client, returned(given))
                assert answered.json()["error"] == "invalid_grant"
        assert (await office.listed())["data"][0]["people"] == 0

    async def test_forgotten_it_may_come_again(self, house: House, office: Office) -> None:
        client = await house.client()
        await office.connect(client)
        await office.rule(client, "denied")

        assert (await office.call("DELETE", f"/rules/{client.key}")).status_code == 204

        assert "code" in returned(await office.connect(client, prompt="consent"))

    async def test_nothing_can_be_said_of_a_client_that_is_not_known_there(
        self, house: House, office: Office
    ) -> None:
        client = await house.client()

        assert_problem(await office.rule(client, "allowed"), 404, code="client_not_found")
        assert_problem(await office.rule(client, "denied"), 404, code="client_not_found")

    async def test_keeping_all_out_ends_what_was_not_let_in(self, house: House, office: Office) -> None:
        good, bad = await house.client(), await house.client()
        kept = await house.exchange(good, returned(await office.connect(good)))
        lost = await house.exchange(bad, returned(await office.connect(bad)))
        await office.rule(good, "allowed")

        await office.default("deny")

        assert (await house.refreshed(good, kept["refresh_token"])).status_code == 200
        assert (await house.refreshed(bad, lost["refresh_token"])).status_code == 400

    async def test_the_deployments_own_clients_need_no_word(self, house: House, office: Office) -> None:
        client = await house.client(policy=ClientPolicy(is_trusted=True))
        await office.default("deny")
        await work_in(house, office.member, office.organization)

        tokens = await house.exchange(client, returned(await house.ask(client, office.member)))

        assert claims_of(tokens["access_token"])["org_id"] == office.id


class TestAsking:
    """Members ask, administrators answer."""

    async def test_a_member_asks_and_an_administrator_lets_it_in(self, house: House, office: Office) -> None:
        await office.default("approval")
        client = await house.client(client_name="Weaver")

        asked = await office.connect(client)
        assert asked.status_code == 200
        assert "We have asked its administrators for Weaver" in words_of(asked)
        [waiting] = (await office.listed())["data"]
        assert waiting["admission"] == "asked"
        assert waiting["asked_by"] == str(house.people[office.member].id)

        page = await house.get(office.page, office.owner)
        assert "asks for it" in words_of(page)
        ruled = await post(house, page, f"{office.page}/rule", office.owner, verdict="allowed")
        assert ruled.status_code == 303

        tokens = await house.exchange(client, returned(await office.connect(client)))
        assert claims_of(tokens["access_token"])["org_id"] == office.id

    async def test_the_request_waits_and_can_be_taken_back(self, house: House, office: Office) -> None:
        """The way back tells the client no; looked at again, it can still be allowed elsewhere."""
        await office.default("approval")
        client = await house.client()
        page = await consent_page(house, client, office.member)
        asked = await answer(house, page, office.member, organization_id=office.id)

        back = await answer(house, asked, office.member, action="deny")

        assert returned(back)["error"] == "access_denied"

    async def test_alone_it_needs_nobodys_word(self, house: House, office: Office) -> None:
        await office.default("approval")
        client = await house.client()
        page = await consent_page(house, client, office.member)
        await answer(house, page, office.member, organization_id=office.id)

        back = returned(await answer(house, page, office.member, organization_id=""))

        tokens = await house.exchange(client, back)
        assert "org_id" not in claims_of(tokens["access_token"])

    async def test_asked_by_many_it_is_one_question(self, house: House, office: Office) -> None:
        await office.default("approval")
        client = await house.client()
        pages = [await consent_page(house, client, office.member) for _ in range(4)]

        answers = await asyncio.gather(
            *(answer(house, page, office.member, organization_id=office.id) for page in pages)
        )

        assert {each.status_code for each in answers} == {200}
        assert len((await office.listed())["data"]) == 1

    async def test_silently_it_is_refused(self, house: House, office: Office) -> None:
        """OpenID Connect Core 1.0, section 3.1.2.6: there is something to ask, and nothing may be shown."""
        client = await house.client()
        await office.connect(client)
        await office.default("approval")
        await work_in(house, office.member, office.organization)

        silent = returned(await house.ask(client, office.member, prompt="none"))

        assert silent["error"] == "consent_required"

    async def test_what_works_already_goes_on(self, house: House, office: Office) -> None:
        client = await house.client()
        tokens = await house.exchange(client, returned(await office.connect(client)))

        await office.default("approval")

        assert (await house.refreshed(client, tokens["refresh_token"])).status_code == 200

    async def test_the_event_and_the_trail_tell_of_it(self, house: House, office: Office) -> None:
        await office.default("approval")
        client = await house.client()
        await office.connect(client)
        await office.rule(client, "denied")

        trail = await house.http.get(
            f"{office.organization.path}/audit",
            params={"page_size": 50},
            headers=house.people[office.owner].bearer,
        )

        actions = [entry["action"] for entry in trail.json()["data"]]
        for action in (
            "oauth.client_policy.changed",
            "oauth.client_rule.requested",
            "oauth.client_rule.decided",
        ):
            assert action in actions


async def test_the_page_sets_the_rule_for_all_others(house: House, office: Office) -> None:
    page = await house.get(office.page, office.owner)

    done = await post(house, page, office.page, office.owner, default="deny")

    assert done.status_code == 303
    assert (await office.listed())["default"] == "deny"


@pytest.mark.bar("CHECK-17")
@pytest.mark.parametrize(
    "body", [{}, {"default": "maybe"}, {"default": "allow", "decided_by": "x"}, {"default": None}]
)
async def test_a_malformed_rule_changes_nothing(house: House, office: Office, body: dict[str, Any]) -> None:
    answered = await office.call("PUT", "/rules", json=body)

    assert_problem(answered, 422)
    assert (await office.listed())["default"] == "allow"


@pytest.mark.bar("CHECK-18")
async def test_a_foreign_page_rules_nothing(house: House, office: Office) -> None:
    client = await house.client()
    await office.connect(client)
    fields = {
        **fields_of(await house.get(office.page, office.owner), f"{office.page}/rule"),
        "csrf_token": "",
    }

    forged = await house.http.post(f"{office.page}/rule", data=fields, headers=house.cookie(office.owner))

    assert forged.status_code == 403
    assert (await office.listed())["data"][0]["verdict"] is None
