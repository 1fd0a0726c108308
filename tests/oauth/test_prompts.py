"""Who must sign in, again or at all, and what is asked of whom (OpenID Connect Core 1.0, 3.1.2.1; rows 25.x)."""

import html
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from portico.oauth.types import ClientPolicy, ClientSource
from tests.oauth.kit import House, TestClient, claims_of, returned
from tests.oauth.pages import answer, consent_page, fields_of, newcomer, sign_in_again, words_of
from tests.sessions.people import PASSWORD

pytestmark = pytest.mark.anyio


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


@pytest.fixture
async def eva(house: House) -> str:
    return await newcomer(house)


@pytest.fixture
async def client(house: House) -> TestClient:
    return await house.client()


async def silent(house: House, client: TestClient, person: str | None, **parameters: Any) -> dict[str, str]:
    """Return the answer to a request that may show nothing: it is always a redirect to the client."""
    answered = await house.ask(client, person, prompt="none", **parameters)
    assert answered.status_code == 303, answered.text
    assert answered.headers["location"].startswith(f"{client.redirect_uri}?")
    return returned(answered)


def leads_to_sign_in(location: str, *, again: bool) -> bool:
    return urlsplit(location).path == "/login" and ("again=1" in location) is again


class TestNothingMayBeShown:
    """`prompt=none`: an answer at once, or an error that says what would have to be shown."""

    @pytest.mark.bar("A25-25.3")
    async def test_nobody_is_signed_in(self, house: House, client: TestClient) -> None:
        assert (await silent(house, client, None))["error"] == "login_required"

    @pytest.mark.bar("A25-25.3", "A1-1.21")
    async def test_the_client_of_a_stranger_hears_it_too(self, house: House) -> None:
        """The client asked for an answer without a page: it gets one (RFC 9700, section 4.11.2, second way)."""
        client = await house.client(source=ClientSource.DYNAMIC)

        assert (await silent(house, client, None))["error"] == "login_required"

    @pytest.mark.bar("A25-25.3")
    async def test_the_person_would_have_to_be_asked(
        self, house: House, client: TestClient, eva: str
    ) -> None:
        assert (await silent(house, client, eva))["error"] == "consent_required"

    @pytest.mark.bar("A25-25.3")
    async def test_he_was_asked_before(self, house: House, client: TestClient, eva: str) -> None:
        await house.authorize(client, eva)

        assert "code" in await silent(house, client, eva)

    @pytest.mark.bar("A25-25.3")
    async def test_his_sign_in_is_too_old(self, house: House, client: TestClient, eva: str) -> None:
        await house.authorize(client, eva)
        house.clock.advance(timedelta(seconds=11))

        assert (await silent(house, client, eva, max_age="10"))["error"] == "login_required"
        assert "code" in await silent(house, client, eva, max_age="12")

    @pytest.mark.bar("A25-25.3")
    @pytest.mark.parametrize("others", ["none login", "consent none", "none create"])
    async def test_with_anything_else_it_makes_no_sense(
        self, house: House, client: TestClient, others: str
    ) -> None:
        back = returned(await house.ask(client, prompt=others))

        assert back["error"] == "invalid_request"


class TestSigningInAgain:
    """`prompt=login`, `max_age` and `default_max_age`."""

    @pytest.mark.bar("A25-25.3")
    @pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "1"}], ids=str)
    async def test_the_person_proves_it_once_more(
        self, house: House, client: TestClient, eva: str, asked: dict[str, str]
    ) -> None:
        """The session goes on, `auth_time` moves, and the consent of before still holds."""
        before = claims_of((await house.tokens(client, eva, max_age="9999"))["id_token"])["auth_time"]
        house.clock.advance(timedelta(seconds=5))

        sent = await house.ask(client, eva, **asked)
        assert leads_to_sign_in(sent.headers["location"], again=True)
        entered = await sign_in_again(house, sent.headers["location"], eva)
        resumed = await house.get(entered.headers["location"], eva)

        token = claims_of((await house.exchange(client, returned(resumed)))["id_token"])
        assert token["auth_time"] == before + 5

    @pytest.mark.bar("A25-25.3", "ASVS-7.6.1")
    async def test_going_on_without_it_leads_back(self, house: House, client: TestClient, eva: str) -> None:
        """Whoever skips the page gets neither a code nor the question."""
        house.clock.advance(timedelta(seconds=5))
        sent = await house.ask(client, eva, prompt="login")
        there = parse_qs(urlsplit(sent.headers["location"]).query)["next"][0]
        ticket = parse_qs(urlsplit(there).query)["ticket"][0]

        for path in (there, f"/oauth/consent?ticket={ticket}"):
            skipped = await house.get(path, eva)
            assert leads_to_sign_in(skipped.headers["location"], again=True)

    async def test_nor_does_an_answer_go_through_without_it(
        self, house: House, client: TestClient, eva: str
    ) -> None:
        house.clock.advance(timedelta(seconds=5))
        page = await consent_page(house, client, eva)
        sent = await house.ask(client, eva, prompt="login")
        there = parse_qs(urlsplit(sent.headers["location"]).query)["next"][0]

        given = await answer(house, page, eva, ticket=parse_qs(urlsplit(there).query)["ticket"][0])

        assert leads_to_sign_in(given.headers["location"], again=True)

    @pytest.mark.bar("A25-25.3")
    async def test_a_fresh_sign_in_is_good_enough(self, house: House, client: TestClient, eva: str) -> None:
        """`max_age` asks for no more than it says."""
        await house.authorize(client, eva)

        answered = await house.ask(client, eva, max_age="10000")

        assert "code" in returned(answered)

    @pytest.mark.bar("A25-25.3")
    async def test_a_client_may_have_registered_an_age(self, house: House, eva: str) -> None:
        """OpenID Connect Registration 1.0, section 2: `default_max_age`."""
        client = await house.client(default_max_age=60)
        house.clock.advance(timedelta(seconds=61))

        sent = await house.ask(client, eva)

        assert leads_to_sign_in(sent.headers["location"], again=True)

    async def test_somebody_else_may_sign_in_there(self, house: House, client: TestClient) -> None:
        """Then it is he who is asked, under his own name."""
        first, second = await newcomer(house), await newcomer(house)
        page = await consent_page(house, client, first)
        link = "/login?" + html.unescape(page.text.partition('href="/login?')[2].partition('"')[0])
        form = fields_of(await house.get(link, first), "/login")
        typed = {"username": house.people[second].account.email, "password": PASSWORD}

        entered = await house.http.post(
            "/login", data={**form, **typed}, headers=house.cookie(first), follow_redirects=False
        )

        cookie = entered.cookies["portico_session"]
        house.people[second] = replace(house.people[second], cookie=cookie)
        resumed = await house.get(entered.headers["location"], second)
        asked = await house.get(resumed.headers["location"], second)
        assert house.people[second].account.display_name in words_of(asked)
        assert "code" in returned(await answer(house, asked, second))


class TestConsentAgain:
    """`prompt=consent` and `prompt=select_account` show the page, whatever was allowed before."""

    @pytest.mark.bar("A25-25.3", "A25-25.8", "A30-30.8")
    @pytest.mark.parametrize("prompt", ["consent", "select_account", "consent unheard_of"])
    async def test_the_page_is_shown(self, house: House, client: TestClient, eva: str, prompt: str) -> None:
        await house.authorize(client, eva, scope="openid offline_access")

        page = await consent_page(house, client, eva, prompt=prompt, scope="openid offline_access")

        assert "Stay connected when you are signed out" in words_of(page)
        assert "Use another account" in words_of(page)

    @pytest.mark.bar("A25-25.8", "A25-25.3")
    async def test_staying_connected_is_allowed_once_and_never_by_itself(
        self, house: House, client: TestClient, eva: str
    ) -> None:
        """OpenID Connect Core 1.0, section 11: by the page, or by what was allowed on it before."""
        wish = {"scope": "openid offline_access"}
        await house.authorize(client, eva, scope="openid")

        unasked = await silent(house, client, eva, **wish)
        asked = await house.ask(client, eva, **wish)
        await house.answer(asked, eva)
        remembered = await silent(house, client, eva, **wish)

        assert unasked["error"] == "consent_required"
        assert asked.headers["location"].startswith("/oauth/consent?")
        assert "code" in remembered

    async def test_trusted_clients_are_asked_for_too(self, house: House, eva: str) -> None:
        client = await house.client(policy=ClientPolicy(is_trusted=True))

        assert "Connect" in words_of(await consent_page(house, client, eva, prompt="consent"))


class TestHints:
    """Whom the client takes the visitor for."""

    @pytest.mark.bar("A25-25.4")
    async def test_the_same_person_goes_on(self, house: House, client: TestClient, eva: str) -> None:
        hint = (await house.tokens(client, eva))["id_token"]

        assert "code" in await silent(house, client, eva, id_token_hint=hint)

    @pytest.mark.bar("A25-25.4")
    async def test_an_expired_token_is_still_a_hint(self, house: House, client: TestClient, eva: str) -> None:
        """OpenID Connect Core 1.0, section 3.1.2.1: it says who, not that he is here."""
        hint = (await house.tokens(client, eva))["id_token"]
        house.clock.advance(timedelta(hours=2))

        assert "code" in await silent(house, client, eva, id_token_hint=hint)

    @pytest.mark.bar("A25-25.4")
    async def test_somebody_else_is_signed_in(self, house: House, client: TestClient, eva: str) -> None:
        hint = (await house.tokens(client, eva))["id_token"]
        other = await newcomer(house)

        assert (await silent(house, client, other, id_token_hint=hint))["error"] == "login_required"
        sent = await house.ask(client, other, id_token_hint=hint)
        assert leads_to_sign_in(sent.headers["location"], again=True)

    @pytest.mark.bar("A25-25.4", "CHECK-4", "CHECK-5")
    async def test_only_our_own_for_this_client_is_one(
        self, house: House, client: TestClient, eva: str
    ) -> None:
        tokens = await house.tokens(client, eva)
        foreign = (await house.tokens(await house.client(), eva))["id_token"]
        head, body, signature = tokens["id_token"].split(".")
        forged = f"{head}.{body[:-4]}AAAA.{signature}"

        for hint in (foreign, forged, tokens["access_token"], f"{head}.{body}.", "x"):
            assert (await silent(house, client, eva, id_token_hint=hint))["error"] == "invalid_request"

    @pytest.mark.bar("A25-25.4", "A25-25.6")
    async def test_a_subject_asked_for_by_claims_is_one(
        self, house: House, client: TestClient, eva: str
    ) -> None:
        """OpenID Connect Core 1.0, section 5.5.1: nobody else may be answered for."""
        await house.authorize(client, eva)
        mine = json.dumps({"id_token": {"sub": {"value": str(house.people[eva].id)}}})
        theirs = json.dumps({"id_token": {"sub": {"value": str(house.people["ada"].id)}}})

        assert "code" in await silent(house, client, eva, claims=mine)
        assert (await silent(house, client, eva, claims=theirs))["error"] == "login_required"

    @pytest.mark.bar("A25-25.2")
    async def test_a_login_hint_fills_in_the_name(self, house: House, client: TestClient) -> None:
        sent = await house.ask(client, None, login_hint='ada@example.org"><script>')

        page = await house.get(sent.headers["location"], None)

        assert 'value="ada@example.org&#34;&gt;&lt;script&gt;"' in page.text

    async def test_who_has_no_account_yet_is_led_to_sign_up(self, house: House, client: TestClient) -> None:
        """Initiating User Registration via OpenID Connect 1.0: `prompt=create`."""
        sent = await house.ask(client, None, prompt="create")

        assert urlsplit(sent.headers["location"]).path == "/signup"


class TestStrength:
    """How strongly somebody signed in."""

    @pytest.mark.bar("A25-25.2")
    async def test_a_wish_is_a_wish(self, house: House, client: TestClient, eva: str) -> None:
        """OpenID Connect Core 1.0, section 3.1.2.1: `acr_values` are voluntary."""
        tokens = await house.tokens(client, eva, acr_values="urn:nobody:knows aal3")

        assert claims_of(tokens["id_token"])["acr"] == "aal1"

    async def test_what_is_essential_is_demanded(self, house: House, client: TestClient, eva: str) -> None:
        """OpenID Connect Core 1.0, section 5.5.1.1; Core Error Code unmet_authentication_requirements 1.0."""
        claims = json.dumps({"id_token": {"acr": {"essential": True, "values": ["aal2"]}}})

        back = returned(await house.ask(client, eva, claims=claims))

        assert back["error"] == "unmet_authentication_requirements"

    async def test_what_is_there_is_enough(self, house: House, client: TestClient, eva: str) -> None:
        claims = json.dumps({"id_token": {"acr": {"essential": True, "values": ["aal1", "aal2"]}}})

        assert "code" in await house.authorize(client, eva, claims=claims)


class TestWithoutAnOpinion:
    """What must never cause an error (row 25.2)."""

    @pytest.mark.bar("A25-25.2")
    @pytest.mark.parametrize(
        "more",
        [
            {"display": "page"}, {"display": "popup"}, {"display": "touch"}, {"display": "nonsense"},
            {"ui_locales": "se"}, {"ui_locales": "de-CH fr"}, {"claims_locales": "se"}, {"acr_values": "1 2"},
            {"login_hint": "buffy@example.com"}, {"nonce": None}, {"extra": "foobar"}, {"prompt": "nothing_known"},
        ],
        ids=str,
    )  # fmt: skip
    async def test_it_is_put_up_with(
        self, house: House, client: TestClient, eva: str, more: dict[str, str]
    ) -> None:
        tokens = await house.tokens(client, eva, **more)

        assert "nonce" not in claims_of(tokens["id_token"])

    @pytest.mark.bar("A25-25.1")
    async def test_what_the_client_sent_along_comes_back_in_the_token(
        self, house: House, client: TestClient, eva: str
    ) -> None:
        """OpenID Connect Core 1.0, sections 2 and 3.1.3.7: the nonce unchanged, the client as audience."""
        nonce = "n-\u00e9+&= " + "x" * 64
        claims = claims_of((await house.tokens(client, eva, nonce=nonce, max_age="9999"))["id_token"])

        assert claims["nonce"] == nonce
        assert claims["aud"] == client.client_id
        assert claims["iss"] == house.runtime.settings.public_url
        assert claims["sub"] == str(house.people[eva].id)
        assert claims["auth_time"] <= claims["iat"] < claims["exp"]
        assert claims["amr"]
