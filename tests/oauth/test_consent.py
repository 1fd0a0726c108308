"""The page of consent: what it says, what it protects, and what becomes of its answers (rows 1.20, 1.22, 8.7, 30.9)."""

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from portico.oauth.services.client_administration import ClientAdministration, ClientWish
from portico.oauth.types import ClientPolicy, ClientSource
from portico.testing.organizations import TestOrganizations
from tests.oauth.kit import CALLBACK, House, claims_of, returned
from tests.oauth.pages import (
    answer,
    chosen_of,
    consent_page,
    fields_of,
    impersonated,
    newcomer,
    options_of,
    words_of,
    work_in,
)

pytestmark = pytest.mark.anyio

DOCUMENT = "https://tools.example.net/client.json"
MCP = "https://api.example.com/mcp"


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


@pytest.fixture
def organizations(house: House) -> TestOrganizations:
    return TestOrganizations(house.runtime)


@pytest.fixture
async def eva(house: House) -> str:
    """Somebody without a past, by her name in the house."""
    return await newcomer(house)


class TestWhatItSays:
    """Who asks, from where, for what, and where the answer goes."""

    async def test_it_names_client_and_redirect_host(self, house: House) -> None:
        client = await house.client(client_name="Weaver")

        words = words_of(await consent_page(house, client, scope="openid email"))

        assert "Connect Weaver ?" in words
        assert "You will go on to app.example" in words
        assert "Know who you are" in words
        assert "See your e-mail address" in words
        assert "You are signed in as" in words

    @pytest.mark.bar("A8-8.7", "A30-30.9")
    async def test_a_client_of_a_document_is_known_by_its_host(self, house: House) -> None:
        """Of what such a client says of itself, its host is all that nobody else could say."""
        client = await house.client(
            source=ClientSource.DOCUMENT,
            client_id=DOCUMENT,
            client_name="Your bank",
            token_endpoint_auth_method="none",
        )

        words = words_of(await consent_page(house, client))

        assert "An application of tools.example.net" in words
        assert "You will go on to app.example" in words
        assert "has checked this application" in words

    @pytest.mark.bar("A8-8.7", "A30-30.9")
    async def test_a_client_on_this_computer_only_comes_with_a_warning(self, house: House) -> None:
        client = await house.public_client(redirect_uris=["http://127.0.0.1/callback"])

        words = words_of(await consent_page(house, client, redirect_uri="http://127.0.0.1:43123/callback"))

        assert "Have you just started this yourself?" in words
        assert "a program on this computer (127.0.0.1)" in words

    async def test_a_client_behind_a_host_comes_without(self, house: House) -> None:
        words = words_of(await consent_page(house, await house.client()))

        assert "Have you just started this yourself?" not in words
        assert "has checked this application" not in words

    async def test_an_app_of_the_device_is_called_so(self, house: House) -> None:
        client = await house.public_client(redirect_uris=["cursor://anysphere.cursor-mcp/oauth/callback"])

        page = await consent_page(house, client)

        assert "an app on this device (cursor:)" in words_of(page)
        assert "form-action 'self' cursor:;" in page.headers["content-security-policy"]

    @pytest.mark.bar("CHECK-22")
    async def test_what_is_asked_stands_in_plain_words_by_resource(self, house: House) -> None:
        page = await consent_page(
            house, await house.client(), scope="openid tools:read tools:write", resource=MCP
        )

        words = words_of(page)
        assert "About you Know who you are" in words
        assert "Tools api.example.com Read your tools Change your tools" in words

    async def test_scopes_of_our_own_api_are_told_in_plain_words(self, house: House) -> None:
        own = house.runtime.settings.public_url + "/api/v1"

        page = await consent_page(house, await house.client(), scope="user:self:read", resource=own)

        assert "See your profile" in words_of(page)
        assert "user:self:read" not in words_of(page)

    @pytest.mark.bar("A25-25.6")
    async def test_claims_asked_for_one_by_one_are_told_like_their_scope(self, house: House) -> None:
        """The parameter `claims` is no way around the question (OpenID Connect Core 1.0, section 5.5)."""
        client = await house.client()
        await house.authorize(client, scope="openid")
        claims = '{"userinfo": {"email": {"essential": true}}}'

        page = await consent_page(house, client, scope="openid", claims=claims)
        assert "See your e-mail address" in words_of(page)
        await answer(house, page)

        again = await house.ask(client, scope="openid", claims=claims)
        assert "code" in returned(again)

    @pytest.mark.bar("CHECK-22", "ASVS-1.1.2")
    async def test_what_a_client_says_of_itself_stays_text(self, house: House) -> None:
        evil = '"><script>alert(1)</script>%s{{7*7}}'
        client = await house.client(
            client_name=evil, policy_uri="https://evil.example/%22onmouseover=alert(1)"
        )

        page = await consent_page(house, client)

        assert "<script>alert" not in page.text
        assert evil in words_of(page) or "alert(1)" in page.text
        assert "49" not in words_of(page).partition("You will go on")[0]
        assert 'rel="noreferrer noopener nofollow"' in page.text

    async def test_the_logo_is_never_loaded(self, house: House) -> None:
        client = await house.client(logo_uri="https://evil.example/pixel.png")

        page = await consent_page(house, client)

        assert "pixel.png" not in page.text


@pytest.mark.bar("A1-1.20", "ASVS-3.4.5", "ASVS-3.4.6", "CHECK-22")
async def test_the_page_is_in_no_frame_tells_nobody_and_loads_nothing(house: House) -> None:
    """RFC 9700, section 4.16 (clickjacking) and section 4.2 (referrers)."""
    page = await consent_page(house, await house.client())

    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "form-action 'self' https://app.example;" in policy
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert "https://" not in page.text.replace("https://app.example", "")


@pytest.mark.bar("A1-1.20", "CHECK-22", "CHECK-18")
async def test_an_answer_without_the_token_of_the_session_counts_for_nothing(house: House) -> None:
    client = await house.client()
    page = await consent_page(house, client)
    fields = {**fields_of(page, "/oauth/consent"), "action": "approve"}
    foreign = fields_of(await consent_page(house, client, "bob"), "/oauth/consent")["csrf_token"]

    for token in ("", foreign):
        forged = await house.http.post(
            "/oauth/consent", data={**fields, "csrf_token": token}, headers=house.cookie("ada")
        )
        assert forged.status_code == 403

    assert "code" in returned(await answer(house, page))


class TestAnswers:
    """Yes, no, twice, too late."""

    @pytest.mark.bar("A1-1.19")
    async def test_yes_leads_to_the_client_with_a_code(self, house: House) -> None:
        """303, so that nothing that was posted is posted on (RFC 9700, section 4.12)."""
        page = await consent_page(house, await house.client())

        given = await answer(house, page)

        assert given.status_code == 303
        assert given.headers["referrer-policy"] == "no-referrer"
        assert returned(given).keys() == {"code", "state", "iss"}

    @pytest.mark.bar("A12-12.1", "A30-30.4")
    async def test_no_leads_to_the_client_with_access_denied(self, house: House) -> None:
        page = await consent_page(house, await house.client())

        given = returned(await answer(house, page, action="deny"))

        assert given["error"] == "access_denied"
        assert given["state"] == "st-1"
        assert given["iss"] == house.runtime.settings.public_url

    async def test_anything_else_is_no_answer(self, house: House) -> None:
        page = await consent_page(house, await house.client())

        given = await answer(house, page, action="perhaps")

        assert given.status_code == 400
        assert "code" in returned(await answer(house, page))

    @pytest.mark.bar("CHECK-12", "CHECK-22")
    async def test_of_many_clicks_one_counts(self, house: House) -> None:
        page = await consent_page(house, await house.client())

        clicks = await asyncio.gather(*(answer(house, page) for _ in range(8)))

        sent = [click for click in clicks if click.status_code == 303]
        assert len(sent) == 1
        assert {click.status_code for click in clicks} == {303, 400}
        assert all("This request is over" in click.text for click in clicks if click.status_code == 400)

    async def test_a_denied_request_cannot_be_allowed_any_more(self, house: House) -> None:
        page = await consent_page(house, await house.client())
        await answer(house, page, action="deny")

        late = await answer(house, page)

        assert late.status_code == 400
        assert late.headers["referrer-policy"] == "no-referrer"
        assert "You have answered it already" in words_of(late)

    async def test_a_tab_that_was_left_open_says_what_to_do(self, house: House) -> None:
        page = await consent_page(house, await house.client())
        house.clock.advance(timedelta(minutes=31))

        late = await answer(house, page)

        assert late.status_code == 400
        assert "go back to it and connect once more" in words_of(late)

    async def test_a_ticket_that_nobody_was_given_is_no_request(self, house: House) -> None:
        for ticket in ("", "x", "ppr_" + "A" * 43):
            page = await house.get(f"/oauth/consent?ticket={ticket}")
            assert page.status_code == 400
            assert "This request is over" in words_of(page)

    async def test_somebody_else_cannot_answer_in_an_others_name(self, house: House) -> None:
        """The ticket says nothing of who answers: whoever does gives what is his own."""
        client = await house.client()
        page = await consent_page(house, client, "ada")
        token = fields_of(await consent_page(house, client, "bob"), "/oauth/consent")["csrf_token"]

        given = await answer(house, page, "bob", csrf_token=token)
        tokens = await house.exchange(client, returned(given))

        assert claims_of(tokens["access_token"])["sub"] == str(house.people["bob"].id)


class TestRemembered:
    """When the person is asked again."""

    async def test_the_same_client_asks_once(self, house: House) -> None:
        client = await house.client()
        await house.authorize(client, scope="openid profile")

        again = await house.ask(client, scope="openid")

        assert "code" in returned(again)

    @pytest.mark.bar("CHECK-22", "ASVS-10.7.1")
    @pytest.mark.parametrize(
        "changed",
        [{"client_name": "Your bank"}, {"redirect_uris": [CALLBACK, "https://elsewhere.example/callback"]}],
        ids=["name", "redirects"],
    )
    async def test_what_has_become_another_is_asked_for_again(
        self, house: House, changed: dict[str, Any]
    ) -> None:
        client, runtime = await house.client(), house.runtime
        await house.authorize(client)
        await ClientAdministration(runtime, runtime.unit()).change_client(
            client.key, ClientWish(metadata=changed), check_version=lambda _: None, actor=None
        )

        assert (await house.ask(client)).headers["location"].startswith("/oauth/consent")

    @pytest.mark.bar("CHECK-22")
    async def test_more_is_asked_for_again(self, house: House) -> None:
        client = await house.client()
        await house.authorize(client, scope="openid")

        page = await consent_page(house, client, scope="openid email")

        assert "See your e-mail address" in words_of(page)

    async def test_what_was_allowed_before_stays_allowed(self, house: House) -> None:
        client = await house.client()
        await house.authorize(client, scope="openid email")
        await house.authorize(client, scope="openid profile")

        again = await house.ask(client, scope="openid email profile")

        assert "code" in returned(again)

    async def test_another_person_is_asked_himself(self, house: House) -> None:
        client = await house.client()
        await house.authorize(client, "ada")

        assert "Connect" in words_of(await consent_page(house, client, "bob"))

    @pytest.mark.bar("A1-1.22", "CHECK-22")
    @pytest.mark.parametrize(
        "redirect", ["http://127.0.0.1/cb", "http://localhost/cb", "com.example.app:/cb"]
    )
    async def test_who_can_be_played_by_any_program_is_asked_for_each_time(
        self, house: House, redirect: str
    ) -> None:
        """OAuth 2.1, section 7.3.1; RFC 8252, section 8.6."""
        client = await house.public_client(redirect_uris=[redirect])
        await house.authorize(client)

        again = await house.ask(client)

        assert again.headers["location"].startswith("/oauth/consent")

    @pytest.mark.bar("A1-1.22")
    async def test_nor_is_he_let_in_silently(self, house: House) -> None:
        client = await house.public_client(redirect_uris=["http://127.0.0.1/cb"])
        await house.authorize(client)

        silent = returned(await house.ask(client, prompt="none"))

        assert silent["error"] == "consent_required"

    async def test_the_deployments_own_clients_ask_for_nothing(self, house: House) -> None:
        client = await house.client(policy=ClientPolicy(is_trusted=True))

        assert "code" in returned(await house.ask(client))

    async def test_two_requests_allowed_at_once_are_both_remembered(self, house: House) -> None:
        """Two tabs: nobody is told that the server failed."""
        client = await house.client()
        first = await consent_page(house, client, scope="openid email")
        second = await consent_page(house, client, scope="openid profile")

        answers = await asyncio.gather(answer(house, first), answer(house, second))

        assert {given.status_code for given in answers} == {303}
        assert "code" in returned(await house.ask(client, scope="openid email profile"))


class TestWhereItWorks:
    """The person chooses in which organization the client works, and what he chose stays."""

    async def test_with_organizations_there_is_a_choice(
        self, house: House, organizations: TestOrganizations, eva: str
    ) -> None:
        acme = await organizations.make(house.people[eva].id, "Acme")
        await organizations.make(house.people[eva].id, "Looms")
        client = await house.client()

        page = await consent_page(house, client, eva)
        given = await answer(house, page, eva, organization_id=str(acme.id))
        tokens = await house.exchange(client, returned(given))

        assert set(options_of(page)) == {"Only for me, in no organization", "Acme", "Looms"}
        assert chosen_of(page) == "Only for me, in no organization"
        assert claims_of(tokens["access_token"])["org_id"] == str(acme.id)

    async def test_what_was_chosen_stays_until_the_person_says_otherwise(
        self, house: House, organizations: TestOrganizations, eva: str
    ) -> None:
        acme = await organizations.make(house.people[eva].id, "Acme")
        client = await house.client()
        await answer(house, await consent_page(house, client, eva), eva, organization_id=str(acme.id))

        again = await house.exchange(client, returned(await house.ask(client, eva)))

        assert claims_of(again["access_token"])["org_id"] == str(acme.id)
        asked = await consent_page(house, client, eva, prompt="consent")
        assert chosen_of(asked) == "Acme"
        moved = returned(await answer(house, asked, eva, organization_id=""))
        assert "org_id" not in claims_of((await house.exchange(client, moved))["access_token"])

    async def test_where_the_person_works_himself_moves_no_client(
        self, house: House, organizations: TestOrganizations, eva: str
    ) -> None:
        client = await house.client()
        await house.authorize(client, eva)
        await work_in(house, eva, await organizations.make(house.people[eva].id))

        again = await house.exchange(client, returned(await house.ask(client, eva)))

        assert "org_id" not in claims_of(again["access_token"])

    async def test_the_active_organization_is_offered_first(
        self, house: House, organizations: TestOrganizations, eva: str
    ) -> None:
        acme = await organizations.make(house.people[eva].id)
        await work_in(house, eva, acme)

        page = await consent_page(house, await house.client(), eva)

        assert chosen_of(page) == acme.name

    @pytest.mark.bar("CHECK-2", "CHECK-22")
    async def test_nobody_lets_a_client_into_an_organization_of_others(
        self, house: House, organizations: TestOrganizations, eva: str
    ) -> None:
        theirs = await organizations.make(house.people["bob"].id)
        page = await consent_page(house, await house.client(), eva)

        for organization_id in (str(theirs.id), "00000000-0000-7000-8000-000000000000", "x"):
            given = await answer(house, page, eva, organization_id=organization_id)
            assert given.status_code == 400

        assert "code" in returned(await answer(house, page, eva))

    async def test_who_left_is_asked_again(
        self, house: House, organizations: TestOrganizations, eva: str
    ) -> None:
        boss = await newcomer(house)
        acme = await organizations.make(house.people[boss].id)
        await organizations.join(acme, house.people[eva].account)
        client = await house.client()
        await answer(house, await consent_page(house, client, eva), eva, organization_id=str(acme.id))
        gone = await house.http.delete(
            f"{acme.path}/members/{house.people[eva].id}", headers=house.people[boss].bearer
        )
        assert gone.status_code == 204, gone.text

        page = await consent_page(house, client, eva)

        assert acme.name not in words_of(page)

    async def test_an_organization_that_wants_a_stronger_sign_in_is_not_offered(
        self, house: House, organizations: TestOrganizations, eva: str
    ) -> None:
        acme = await organizations.make(house.people[eva].id)
        await organizations.set_rules(acme, min_aal=2)

        page = await consent_page(house, await house.client(), eva)

        assert acme.name not in words_of(page)
        given = await answer(house, page, eva, organization_id=str(acme.id))
        assert given.status_code == 400


@pytest.mark.bar("CHECK-11")
async def test_who_acts_in_anothers_name_connects_nothing(house: House, eva: str) -> None:
    """Neither the question nor the answer: he is told so, and led in no circle."""
    client = await house.client()
    boss = await newcomer(house, superuser=True)
    acting = await impersonated(house, boss, eva)

    asked = await house.ask(client, acting)
    page = await house.get("/oauth/consent?ticket=x", acting)

    assert asked.status_code == 400
    assert "connects applications in another's name" in words_of(asked)
    assert page.status_code == 403


async def test_who_was_signed_out_meanwhile_signs_in_and_comes_back(house: House) -> None:
    asked = await house.ask(await house.client())
    there = asked.headers["location"]

    led = await house.get(there, None, Accept="text/html")

    assert led.status_code == 303
    assert parse_qs(urlsplit(led.headers["location"]).query)["next"] == [there]
