"""The authorization endpoint as the OpenID Foundation's plans try it: basic, config and dynamic, and form post besides.

A test is named after its module and does what the module's name says, once with answers in the query and once by form.
Clients of these plans know no PKCE: they are confidential, and were let off.
"""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest

from portico.core.crypto import b64encode
from portico.keys.services import Keyring
from portico.keys.types import KeyPurpose
from portico.oauth.types import ClientPolicy
from tests.oauth.kit import CALLBACK, CHALLENGE, FORM, VERIFIER, House, TestClient, claims_of, returned
from tests.oauth.pages import fields_of, newcomer, sign_in_again

pytestmark = pytest.mark.anyio

WITHOUT_PKCE = ClientPolicy(requires_pkce=False)


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


class Party:
    """The relying party that the suite plays, and the person at its browser."""

    def __init__(self, house: House, client: TestClient, person: str, mode: str | None) -> None:
        self.house = house
        self.client = client
        self.person = person
        self.mode = mode

    def request(self, **parameters: Any) -> dict[str, Any]:
        usual = {"code_challenge": None, "code_challenge_method": None, "nonce": "n-0S6_WzA2Mj"}
        return {**usual, "response_mode": self.mode, **parameters}

    async def ask(self, **parameters: Any) -> httpx2.Response:
        return await self.house.ask(self.client, self.person, **self.request(**parameters))

    async def authorize(self, **parameters: Any) -> dict[str, str]:
        """Ask and consent; return what came back, in whatever way."""
        return self.back(await self.house.answer(await self.ask(**parameters), self.person))

    def back(self, answered: httpx2.Response) -> dict[str, str]:
        if self.mode == "form_post":
            assert answered.status_code == 200, (answered.status_code, answered.headers)
            return fields_of(answered, CALLBACK)
        assert answered.status_code == 303, answered.text
        return returned(answered)

    async def tokens(self, **parameters: Any) -> dict[str, Any]:
        return await self.exchange(await self.authorize(**parameters))

    async def exchange(self, back: dict[str, str]) -> dict[str, Any]:
        return await self.house.exchange(self.client, back, code_verifier=None)

    async def id_token(self, **parameters: Any) -> dict[str, Any]:
        return claims_of((await self.tokens(**parameters))["id_token"])

    async def userinfo(self, **parameters: Any) -> dict[str, Any]:
        tokens = await self.tokens(**parameters)
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        answered = await self.house.http.get("/oauth/userinfo", headers=bearer)
        assert answered.status_code == 200, answered.text
        claims: dict[str, Any] = answered.json()
        return claims


@pytest.fixture(params=[None, "form_post"], ids=["query", "form_post"])
async def party(request: pytest.FixtureRequest, house: House) -> Party:
    client = await house.client(policy=WITHOUT_PKCE)
    return Party(house, client, await newcomer(house), request.param)


@pytest.mark.bar("A25-25.1")
async def test_oidcc_server(party: Party) -> None:
    """The whole flow: code, ID token, access token, userinfo of the same subject."""
    tokens = await party.tokens()

    claims = claims_of(tokens["id_token"])
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    userinfo = await party.house.http.get("/oauth/userinfo", headers=bearer)
    assert tokens["token_type"] == "Bearer"
    assert claims["nonce"] == "n-0S6_WzA2Mj"
    assert userinfo.json()["sub"] == claims["sub"]


@pytest.mark.bar("A1-1.4")
async def test_oidcc_response_type_missing(party: Party) -> None:
    assert party.back(await party.ask(response_type=None))["error"] == "invalid_request"


@pytest.mark.bar("A25-25.1")
async def test_oidcc_idtoken_signature(party: Party) -> None:
    """Signed by a key of the JWKS document, named by `kid`, RS256 unless registered otherwise."""
    token = (await party.tokens())["id_token"]

    keyring = party.house.runtime.get(Keyring)
    verified = keyring.verify(
        token,
        purpose=KeyPurpose.ID_TOKEN,
        typ="JWT",
        audience=party.client.client_id,
        issuer=party.house.runtime.settings.public_url,
    )
    document = (await party.house.http.get("/.well-known/jwks.json")).json()
    head = claims_of(f".{token.split('.')[0]}.")
    assert verified["sub"] == str(party.house.people[party.person].id)
    assert head["alg"] == "RS256"
    assert head["kid"] in {key["kid"] for key in document["keys"]}


@pytest.mark.bar("A25-25.1")
async def test_oidcc_idtoken_unsigned(house: House) -> None:
    """Not supported, said so, and not to be registered."""
    document = (await house.http.get("/.well-known/openid-configuration")).json()

    assert "none" not in document["id_token_signing_alg_values_supported"]
    with pytest.raises(Exception, match="id_token_signed_response_alg"):
        await house.client(id_token_signed_response_alg="none")


@pytest.mark.bar("A25-25.2")
async def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(party: Party) -> None:
    assert "nonce" not in await party.id_token(nonce=None)


@pytest.mark.parametrize(
    ("scope", "known"),
    [
        ("profile", {"name", "updated_at"}),
        ("email", {"email", "email_verified"}),
        ("address", set()),
        ("phone", set()),
        ("profile email address phone", {"name", "email", "email_verified", "updated_at"}),
    ],
    ids=[
        "oidcc-scope-profile", "oidcc-scope-email", "oidcc-scope-address", "oidcc-scope-phone", "oidcc-scope-all",
    ],
)  # fmt: skip
@pytest.mark.bar("A25-25.6")
async def test_oidcc_scope(party: Party, scope: str, known: set[str]) -> None:
    """Each is taken; userinfo has what is known, and never a null."""
    claims = await party.userinfo(scope=f"openid {scope}")

    person = party.house.people[party.person].account
    wanted = known if person.full_name or person.username else known - {"name"}
    assert wanted <= claims.keys()
    assert None not in claims.values()


async def test_oidcc_alternate_happy_flow(party: Party) -> None:
    """A second flow of the same client and person is as good as the first, with another redirect URI beside it."""
    other = await party.house.client(policy=WITHOUT_PKCE, redirect_uris=[CALLBACK, CALLBACK + "?dummy=1"])
    party.client = other

    first, second = await party.authorize(), await party.authorize(state="other")

    assert first["code"] != second["code"]
    assert second["state"] == "other"
    assert (await party.exchange(second))["id_token"] != (await party.exchange(first))["id_token"]


@pytest.mark.bar("A25-25.2")
async def test_oidcc_display_page(party: Party) -> None:
    assert "code" in await party.authorize(display="page")


@pytest.mark.bar("A25-25.2")
async def test_oidcc_display_popup(party: Party) -> None:
    assert "code" in await party.authorize(display="popup")


@pytest.mark.bar("A25-25.3")
async def test_oidcc_prompt_login(party: Party) -> None:
    """Signed in a moment ago, asked again: `auth_time` of the second token is later."""
    before = await party.id_token()
    party.house.clock.advance(timedelta(seconds=3))

    sent = await party.ask(prompt="login")
    entered = await sign_in_again(party.house, sent.headers["location"], party.person)
    resumed = await party.house.get(entered.headers["location"], party.person)

    after = claims_of((await party.exchange(party.back(resumed)))["id_token"])
    assert after["auth_time"] > before["auth_time"]
    assert after["sub"] == before["sub"]


@pytest.mark.bar("A25-25.3")
async def test_oidcc_prompt_none_not_logged_in(party: Party) -> None:
    nobody = await party.house.ask(party.client, None, **party.request(prompt="none"))

    assert party.back(nobody)["error"] == "login_required"


@pytest.mark.bar("A25-25.3")
async def test_oidcc_prompt_none_logged_in(party: Party) -> None:
    """No page in between, and the same `auth_time` and subject."""
    before = await party.id_token(max_age="9999")

    back = party.back(await party.ask(prompt="none", max_age="9999"))

    after = claims_of((await party.exchange(back))["id_token"])
    assert (after["sub"], after["auth_time"]) == (before["sub"], before["auth_time"])


@pytest.mark.bar("A25-25.3")
async def test_oidcc_max_age_1(party: Party) -> None:
    """A second later the person signs in again."""
    before = await party.id_token()
    party.house.clock.advance(timedelta(seconds=2))

    sent = await party.ask(max_age="1")
    entered = await sign_in_again(party.house, sent.headers["location"], party.person)
    resumed = await party.house.get(entered.headers["location"], party.person)

    after = claims_of((await party.exchange(party.back(resumed)))["id_token"])
    assert after["auth_time"] > before["auth_time"]


@pytest.mark.bar("A25-25.3")
async def test_oidcc_max_age_10000(party: Party) -> None:
    """No second sign-in, and `auth_time` is in the token."""
    before = await party.id_token(max_age="10000")
    party.house.clock.advance(timedelta(seconds=2))

    after = await party.exchange(party.back(await party.ask(max_age="10000")))

    assert claims_of(after["id_token"])["auth_time"] == before["auth_time"]


@pytest.mark.bar("A25-25.2")
async def test_oidcc_ensure_request_with_unknown_parameter_succeeds(party: Party) -> None:
    assert "code" in await party.authorize(extra="foobar")


@pytest.mark.bar("A25-25.4")
async def test_oidcc_id_token_hint(party: Party) -> None:
    hint = (await party.tokens())["id_token"]

    back = party.back(await party.ask(prompt="none", id_token_hint=hint))

    again = claims_of((await party.exchange(back))["id_token"])
    assert again["sub"] == claims_of(hint)["sub"]


@pytest.mark.bar("A25-25.2")
async def test_oidcc_login_hint(party: Party) -> None:
    assert "code" in await party.authorize(login_hint="buffy@example.com")


@pytest.mark.bar("A25-25.2")
async def test_oidcc_ui_locales(party: Party) -> None:
    assert "code" in await party.authorize(ui_locales="se")


@pytest.mark.bar("A25-25.2")
async def test_oidcc_ensure_request_with_acr_values_succeeds(party: Party) -> None:
    assert (await party.id_token(acr_values="1 2"))["acr"] == "aal1"


@pytest.mark.bar("A1-1.3")
async def test_oidcc_ensure_registered_redirect_uri(party: Party) -> None:
    """A page of ours, and no way to the unregistered place."""
    asked = await party.ask(redirect_uri="https://app.example/not-registered")

    assert asked.status_code == 400
    assert "location" not in asked.headers
    assert "https://app.example/not-registered" not in asked.text


@pytest.mark.bar("A1-1.5")
async def test_oidcc_ensure_post_request_succeeds(party: Party) -> None:
    body = urlencode(party.house.request(party.client, **party.request()))
    posted = await party.house.http.post(
        "/oauth/authorize", content=body, headers=FORM, follow_redirects=False
    )

    went_on = await party.house.get(posted.headers["location"], party.person)
    back = party.back(await party.house.answer(went_on, party.person))

    assert "id_token" in await party.exchange(back)


@pytest.mark.bar("A25-25.1")
async def test_oidcc_server_client_secret_post(house: House) -> None:
    """The secret in the body instead of the header."""
    client = await house.client(policy=WITHOUT_PKCE, token_endpoint_auth_method="client_secret_post")
    party = Party(house, client, "ada", None)
    back = await party.authorize()
    body = {
        "grant_type": "authorization_code",
        "code": back["code"],
        "redirect_uri": CALLBACK,
        "client_id": client.client_id,
        "client_secret": client.secret,
    }

    answered = await house.http.post("/oauth/token", content=urlencode(body), headers=FORM)

    assert answered.status_code == 200, answered.text


@pytest.mark.bar("A25-25.5")
async def test_oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(
    party: Party,
) -> None:
    """To the registered place that the request names outside."""
    asked = await party.ask(request_uri="https://app.example/request.jwt")

    assert party.back(asked)["error"] == "request_uri_not_supported"


@pytest.mark.bar("A25-25.5")
async def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(
    party: Party,
) -> None:
    """Refused: of an unsigned object nobody knows who wrote it (RFC 9101, section 10.1)."""
    head, body = b64encode(b'{"alg":"none"}'), b64encode(b'{"scope":"openid email"}')

    asked = await party.ask(request=f"{head}.{body}.")

    assert asked.status_code == 400
    assert "invalid_request_object" in asked.text


@pytest.mark.bar("A1-1.3")
async def test_oidcc_ensure_request_object_with_redirect_uri(party: Party) -> None:
    """The redirect that an unsigned object names is not where anybody is sent."""
    head = b64encode(b'{"alg":"none"}')
    body = b64encode(b'{"redirect_uri":"https://app.example/from-the-object"}')

    asked = await party.ask(request=f"{head}.{body}.")

    assert "location" not in asked.headers
    assert "from-the-object" not in asked.text


@pytest.mark.bar("A1-1.6")
async def test_oidcc_ensure_request_with_valid_pkce_succeeds(party: Party) -> None:
    back = await party.authorize(code_challenge=CHALLENGE, code_challenge_method="S256")

    answered = await party.house.exchanged(party.client, back, code_verifier=VERIFIER)

    assert answered.status_code == 200, answered.text


@pytest.mark.bar("A29-29.1")
async def test_oidcc_discovery_endpoint_verification(house: House) -> None:
    """OpenID Connect Discovery 1.0, section 3: what must be there, and at addresses of the issuer."""
    answered = await house.http.get("/.well-known/openid-configuration")

    document = answered.json()
    issuer = house.runtime.settings.public_url
    assert answered.headers["content-type"].startswith("application/json")
    assert document["issuer"] == issuer
    for name in ("authorization", "token", "userinfo"):
        assert document[f"{name}_endpoint"].startswith(f"{issuer}/")
    assert document["jwks_uri"].startswith(f"{issuer}/")
    assert "code" in document["response_types_supported"]
    assert "RS256" in document["id_token_signing_alg_values_supported"]
    assert "public" in document["subject_types_supported"]
    assert "openid" in document["scopes_supported"]
    assert document["claims_parameter_supported"] is True
    assert document["request_uri_parameter_supported"] is False
    assert {"query", "form_post"} <= set(document["response_modes_supported"])


@pytest.mark.bar("A1-1.1")
async def test_oidcc_ensure_redirect_uri_in_authorization_request(party: Party) -> None:
    """OpenID Connect Core 1.0, section 3.1.2.1: it is not optional there."""
    asked = await party.ask(redirect_uri=None)

    assert asked.status_code == 400
    assert "location" not in asked.headers


@pytest.mark.bar("A1-1.1")
async def test_oidcc_redirect_uri_query_ok(house: House) -> None:
    uri = CALLBACK + "?foo=bar"
    client = await house.client(policy=WITHOUT_PKCE, redirect_uris=[uri])

    back = await house.answer(await house.ask(client))

    assert back.headers["location"].startswith(f"{uri}&code=")


@pytest.mark.bar("A1-1.1")
async def test_oidcc_redirect_uri_query_mismatch(house: House) -> None:
    client = await house.client(policy=WITHOUT_PKCE, redirect_uris=[CALLBACK + "?foo=bar"])

    asked = await house.ask(client, redirect_uri=CALLBACK + "?foo=baz")

    assert asked.status_code == 400
    assert "location" not in asked.headers


@pytest.mark.bar("A1-1.1")
async def test_oidcc_redirect_uri_query_added(house: House) -> None:
    client = await house.client(policy=WITHOUT_PKCE)

    asked = await house.ask(client, redirect_uri=CALLBACK + "?foo=bar")

    assert asked.status_code == 400
    assert "location" not in asked.headers


@pytest.mark.bar("A1-1.1")
async def test_oidcc_redirect_uri_regfrag(house: House) -> None:
    with pytest.raises(Exception, match="fragment"):
        await house.client(redirect_uris=[CALLBACK + "#foobar"])


@pytest.mark.bar("A23-23.1")
async def test_oidcc_answers_by_form_carry_all_that_answers_in_the_query_do(house: House) -> None:
    """What the form-post plan looks at beside the basic one: the same members, errors too."""
    client = await house.client(policy=WITHOUT_PKCE)
    query, form = Party(house, client, "ada", None), Party(house, client, "ada", "form_post")

    assert (await query.authorize()).keys() == (await form.authorize()).keys()
    failed = [party.back(await party.ask(response_type="token")) for party in (query, form)]
    assert failed[0] == failed[1]
    assert urlsplit(failed[0]["iss"]).netloc == "localhost:8000"
