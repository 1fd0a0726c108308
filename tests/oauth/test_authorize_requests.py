"""The authorization request, row by row: what is refused, and where the refusal goes (rows 1.1 to 1.8, 6.1, 12.1)."""

import time
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from portico.oauth.types import ClientPolicy, ClientSource
from tests.oauth.kit import CALLBACK, CHALLENGE, FORM, VERIFIER, House, TestClient, claims_of, returned
from tests.oauth.pages import answer, consent_page, fields_of, words_of

pytestmark = pytest.mark.anyio

MCP = "https://api.example.com/mcp"
NOTES = "https://notes.example.com/"


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


@pytest.fixture
async def client(house: House) -> TestClient:
    return await house.client()


async def shown(house: House, client: TestClient, **parameters: Any) -> str:
    """Return what the visitor reads of a refusal that goes to nobody (row 1.3)."""
    answered = await house.ask(client, **parameters)
    assert answered.status_code == 400, (answered.status_code, answered.headers.get("location"))
    assert "location" not in answered.headers
    assert "http-equiv" not in answered.text
    assert answered.headers["referrer-policy"] == "no-referrer"
    return words_of(answered)


async def refused(house: House, client: TestClient, **parameters: Any) -> dict[str, str]:
    """Return the parameters of a refusal that goes to the client."""
    answered = await house.ask(client, **parameters)
    assert answered.status_code == 303, answered.text
    assert answered.headers["location"].startswith(f"{client.redirect_uri}?")
    back = returned(answered)
    assert "code" not in back
    assert back["iss"] == house.runtime.settings.public_url
    assert back["state"] == "st-1"
    assert set(back["error_description"]) <= {chr(code) for code in range(0x20, 0x7F)} - {'"', "\\"}
    return back


HOSTILE = (
    CALLBACK + "/",
    CALLBACK + "?a=1",
    CALLBACK + "#f",
    CALLBACK + "/..",
    CALLBACK + "/../evil",
    CALLBACK + "%2f..",
    CALLBACK + "%00",
    CALLBACK + " ",
    " " + CALLBACK,
    CALLBACK + "\t",
    CALLBACK.upper(),
    "HTTPS://app.example/callback",
    "https://APP.example/callback",
    "https://app.example:443/callback",
    "https://app.example./callback",
    "https://app.example//callback",
    "https://app.example/Callback",
    "https://app.example/call%62ack",
    "https://app.example",
    "https://app.example/",
    "http://app.example/callback",
    "https://app.example.evil.example/callback",
    "https://evil.example/callback",
    "https://evil.example/https://app.example/callback",
    "https://evil.example#@app.example/callback",
    "https://evil.example?@app.example/callback",
    "https://app.example@evil.example/callback",
    "https://app.example:x@evil.example/callback",
    "https://app.example\\@evil.example/callback",
    "https://evil.example\\.app.example/callback",
    "https://sub.app.example/callback",
    "https://xapp.example/callback",
    "https://app.example\u3002evil.example/callback",
    "https://\u0430pp.example/callback",
    "https://xn--pp-6kc.example/callback",
    "//app.example/callback",
    "/callback",
    "callback",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "about:blank",
    "http://127.0.0.1/callback",
    "http://localhost/callback",
    "http://[::1]/callback",
    "http://2130706433/callback",
    "urn:ietf:wg:oauth:2.0:oob",
    "com.example.app:/callback",
    "https://app.example/callback https://evil.example",
    "https://*.example/callback",
    "",
    "x" * 2_100,
)


class TestWhereAnswersGo:
    """Nowhere but to a registered place (OAuth 2.1, section 4.1.1; RFC 9700, section 2.1)."""

    @pytest.mark.bar("A1-1.1", "A1-1.3", "A30-30.9", "CHECK-6")
    async def test_an_unregistered_redirect_is_shown_and_never_followed(
        self, house: House, client: TestClient
    ) -> None:
        """Exact comparison, character by character (OAuth 2.1, section 2.3.1)."""
        for uri in HOSTILE:
            words = await shown(house, client, redirect_uri=uri)
            assert "redirect_uri" in words, uri

    @pytest.mark.bar("A1-1.3", "CHECK-6")
    @pytest.mark.parametrize("person", ["ada", None])
    async def test_an_unknown_client_is_shown_and_never_redirected(
        self, house: House, client: TestClient, person: str | None
    ) -> None:
        for client_id in (None, "", "nobody", client.client_id + "x", "https://evil.example", "\u0430" * 40):
            asked = await house.ask(client, person, client_id=client_id)
            assert asked.status_code == 400, client_id
            assert "location" not in asked.headers

    @pytest.mark.bar("A1-1.3", "A1-1.4")
    async def test_what_decides_where_to_is_given_once(self, house: House, client: TestClient) -> None:
        """OAuth 2.1, section 3.1: of two redirect URIs nobody can tell which one was meant."""
        for name, other in (("redirect_uri", "https://evil.example/"), ("client_id", "other")):
            words = await shown(house, client, **{name: [getattr(client, name), other]})
            assert f"{name} was given more than once" in words

    @pytest.mark.bar("A1-1.1")
    async def test_a_query_of_its_own_is_kept(self, house: House) -> None:
        """OAuth 2.1, section 2.3: parameters are added to the query that is there."""
        uri = "https://app.example/callback?tenant=7&x=%2F"
        client = await house.client(redirect_uris=[uri])

        given = await house.answer(await house.ask(client))

        assert given.headers["location"].startswith(f"{uri}&code=")

    @pytest.mark.bar("A1-1.2", "A30-30.9")
    @pytest.mark.parametrize(
        ("registered", "asked"),
        [
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb"),
            ("http://127.0.0.1:3000/cb", "http://127.0.0.1:51004/cb"),
            ("http://[::1]/cb", "http://[::1]:51004/cb"),
            ("http://localhost/callback", "http://localhost:51004/callback"),
            ("http://localhost:8080/callback", "http://localhost/callback"),
        ],
    )
    async def test_any_port_of_this_computer_is_taken(
        self, house: House, registered: str, asked: str
    ) -> None:
        """RFC 8252, section 7.3."""
        client = await house.public_client(redirect_uris=[registered])

        given = await house.answer(await house.ask(client, redirect_uri=asked))

        assert given.headers["location"].startswith(f"{asked}?code=")

    @pytest.mark.bar("A1-1.2", "CHECK-6")
    @pytest.mark.parametrize(
        "asked",
        [
            "http://127.0.0.1:51004/other", "http://127.0.0.2:51004/cb", "http://localhost:51004/cb",
            "http://127.0.0.1:51004/cb/", "https://127.0.0.1:51004/cb", "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1:51004@evil.example/cb", "http://127.0.0.1:99999999/cb", "http://127.0.0.1:x/cb",
        ],
    )  # fmt: skip
    async def test_nothing_else_of_it_may_differ(self, house: House, asked: str) -> None:
        client = await house.public_client(redirect_uris=["http://127.0.0.1/cb"])

        assert "redirect_uri" in await shown(house, client, redirect_uri=asked)

    @pytest.mark.bar("A1-1.24")
    async def test_plain_http_is_for_this_computer_only(self, house: House) -> None:
        """OAuth 2.1, section 1.5: what cannot be registered cannot be asked for."""
        with pytest.raises(Exception, match="not https"):
            await house.client(redirect_uris=["http://app.example/callback"])

    async def test_without_a_redirect_the_only_one_is_meant(self, house: House, client: TestClient) -> None:
        """OAuth 2.1, section 4.1.1; OpenID Connect wants it always."""
        asked = await house.ask(client, redirect_uri=None, scope="tools:read", resource=MCP)

        given = await house.answer(asked)

        assert given.headers["location"].startswith(f"{CALLBACK}?code=")

    async def test_without_a_redirect_openid_and_several_are_refused(self, house: House) -> None:
        """OpenID Connect Core 1.0, section 3.1.2.1."""
        one = await house.client()
        two = await house.client(redirect_uris=[CALLBACK, CALLBACK + "2"])

        assert "redirect_uri is missing" in await shown(house, one, redirect_uri=None)
        assert "redirect_uri is missing" in await shown(
            house, two, redirect_uri=None, scope="tools:read", resource=MCP
        )

    @pytest.mark.bar("A1-1.21")
    @pytest.mark.parametrize("source", [ClientSource.DYNAMIC, ClientSource.DOCUMENT])
    async def test_nobody_is_led_to_strangers_by_an_error(self, house: House, source: ClientSource) -> None:
        """RFC 9700, section 4.11.2: a registered client and a wrong request would make us an open redirector."""
        client = await house.client(source=source)

        visitor = await house.ask(client, None, response_type="token")
        ada = await house.ask(client, "ada", response_type="token")

        assert visitor.status_code == 400
        assert "location" not in visitor.headers
        assert "only if you know it" in words_of(visitor)
        assert 'href="https://app.example/callback?error=unsupported_response_type' in visitor.text
        assert returned(ada)["error"] == "unsupported_response_type"

    @pytest.mark.bar("A1-1.21")
    async def test_clients_that_somebody_vouches_for_hear_of_it_at_once(
        self, house: House, client: TestClient
    ) -> None:
        visitor = await house.ask(client, None, response_type="token")

        assert returned(visitor)["error"] == "unsupported_response_type"


class TestRefusals:
    """What the client hears: `error`, `state` and `iss`, by redirect (OAuth 2.1, section 4.1.2.1; RFC 9207)."""

    @pytest.mark.bar("A1-1.4", "A12-12.1", "A30-30.4")
    @pytest.mark.parametrize(
        ("given", "error"),
        [
            ({"response_type": None}, "invalid_request"),
            ({"response_type": "token"}, "unsupported_response_type"),
            ({"response_type": "id_token"}, "unsupported_response_type"),
            ({"response_type": "code token"}, "unsupported_response_type"),
            ({"response_type": "CODE"}, "unsupported_response_type"),
            ({"response_mode": "fragment"}, "invalid_request"),
            ({"response_mode": "web_message"}, "invalid_request"),
            ({"scope": "nothing:known"}, "invalid_scope"),
            ({"scope": 'open"id'}, "invalid_scope"),
            ({"scope": "openid\tprofile"}, "invalid_scope"),
            ({"scope": "a " * 1_001}, "invalid_scope"),
            ({"nonce": "n" * 2_001}, "invalid_request"),
            ({"max_age": "-1"}, "invalid_request"),
            ({"max_age": "1.5"}, "invalid_request"),
            ({"max_age": "x"}, "invalid_request"),
            ({"claims": "{"}, "invalid_request"),
            ({"claims": "[]"}, "invalid_request"),
            ({"id_token_hint": "x.y.z"}, "invalid_request"),
            ({"authorization_details": "[]"}, "invalid_authorization_details"),
            ({"authorization_details": '[{"type":"nothing"}]'}, "invalid_authorization_details"),
            ({"resource": "https://nobody.example/"}, "invalid_target"),
            ({"resource": "not a uri"}, "invalid_target"),
            ({"resource": MCP + "#part"}, "invalid_target"),
            ({"registration": "{}"}, "registration_not_supported"),
            ({"request_uri": "https://app.example/request"}, "request_uri_not_supported"),
        ],
        ids=str,
    )
    async def test_the_client_is_told(
        self, house: House, client: TestClient, given: dict[str, Any], error: str
    ) -> None:
        back = await refused(house, client, **given)

        assert back["error"] == error

    @pytest.mark.bar("A1-1.4")
    @pytest.mark.parametrize(
        "name",
        [
            "scope", "state", "nonce", "response_type", "response_mode", "code_challenge",
            "code_challenge_method", "prompt", "max_age", "claims", "display",
        ],
    )  # fmt: skip
    async def test_a_parameter_given_twice_is_refused(
        self, house: House, client: TestClient, name: str
    ) -> None:
        """OAuth 2.1, section 3.1; also one that nobody would look at."""
        good = {**house.request(client), "response_mode": "query", "max_age": "9", "claims": "{}"}
        twice: dict[str, Any] = {name: [good.get(name, "login")] * 2}
        asked = await house.ask(client, "ada", **twice)

        back = returned(asked)
        assert back["error"] == "invalid_request"
        assert back["error_description"] == f"{name} was given more than once"

    @pytest.mark.bar("A1-1.4", "A25-25.2")
    async def test_unknown_parameters_are_ignored(self, house: House, client: TestClient) -> None:
        """OAuth 2.1, section 3.1."""
        back = await house.authorize(client, extra="foobar", evil="<script>", audience=["a", "b"])

        assert "code" in back

    async def test_a_parameter_without_a_value_counts_as_left_out(
        self, house: House, client: TestClient
    ) -> None:
        """OAuth 2.1, section 3.1."""
        back = await house.authorize(client, max_age="", prompt="", response_mode="", resource="")

        assert "code" in back

    async def test_no_state_is_sent_back_where_none_was_sent(self, house: House, client: TestClient) -> None:
        back = await house.authorize(client, state=None)

        assert back.keys() == {"code", "iss"}

    @pytest.mark.bar("A12-12.1")
    async def test_state_comes_back_as_it_was(self, house: House, client: TestClient) -> None:
        """OAuth 2.1, section 4.1.2: byte for byte, whatever it looks like."""
        for state in ("a b+c&d=e%20f", "\u00e9\u4e16\U0001f511", "'\"<>\\`", "s" * 2_000, "code=1&iss=evil"):
            assert (await house.authorize(client, state=state))["state"] == state

    async def test_a_client_that_was_switched_off_is_told_so(self, house: House) -> None:
        client = await house.client(grant_types=["client_credentials"])

        answered = await house.ask(client)

        assert returned(answered)["error"] == "unauthorized_client"


class TestMethods:
    """GET and POST mean the same."""

    @pytest.mark.bar("A1-1.5")
    async def test_a_form_goes_the_same_way(self, house: House, client: TestClient) -> None:
        """OpenID Connect Core 1.0, section 3.1.2.1; 303, so that nothing is posted on (RFC 9700, section 4.12)."""
        house.http.cookies.clear()
        posted = await house.http.post(
            "/oauth/authorize",
            content=urlencode(house.request(client)),
            headers={**FORM, "Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"},
            follow_redirects=False,
        )

        assert posted.status_code == 303
        given = await house.answer(await house.get(posted.headers["location"]))
        assert "code" in returned(given)

    @pytest.mark.bar("A1-1.5")
    async def test_what_is_no_form_is_shown(self, house: House, client: TestClient) -> None:
        for body, kind in (
            ("{}", "application/json"),
            ("a=1", "text/plain"),
            ("a=%ff", FORM["Content-Type"]),
        ):
            posted = await house.http.post(
                "/oauth/authorize", content=body, headers={"Content-Type": kind}, follow_redirects=False
            )
            assert posted.status_code == 400, kind

    async def test_no_foreign_page_reads_the_endpoint(self, house: House, client: TestClient) -> None:
        """RFC 9700, section 2.6: no CORS at the authorization endpoint."""
        answered = await house.http.get(
            "/oauth/authorize",
            params=house.request(client),
            headers={"Origin": "https://evil.example", **house.cookie("ada")},
            follow_redirects=False,
        )

        assert "access-control-allow-origin" not in answered.headers


class TestProofKeys:
    """PKCE (RFC 7636; OAuth 2.1, section 4.1.1)."""

    @pytest.mark.bar("A1-1.6", "CHECK-7")
    async def test_a_public_client_sends_a_challenge(self, house: House) -> None:
        """OAuth 2.1, section 7.5.1; also one that nobody checked, and one whose policy lets others off."""
        lax = ClientPolicy(requires_pkce=False)
        public = await house.client(token_endpoint_auth_method="none", policy=lax)

        back = await refused(house, public, code_challenge=None, code_challenge_method=None)

        assert back["error"] == "invalid_request"
        assert "code_challenge" in back["error_description"]

    @pytest.mark.bar("A1-1.6", "CHECK-7")
    async def test_a_confidential_client_sends_one_unless_it_was_let_off(self, house: House) -> None:
        """OAuth 2.1, section 7.5.2."""
        none: dict[str, Any] = {"code_challenge": None, "code_challenge_method": None}
        strict = await house.client()
        lax = await house.client(policy=ClientPolicy(requires_pkce=False))

        assert (await refused(house, strict, **none))["error"] == "invalid_request"
        back = await house.authorize(lax, nonce="n-1", **none)
        tokens = await house.exchange(lax, back, code_verifier=None)
        assert claims_of(tokens["id_token"])["nonce"] == "n-1"

    @pytest.mark.bar("A1-1.7", "A30-30.3", "CHECK-7")
    @pytest.mark.parametrize("method", ["plain", "s256", "S512", None])
    async def test_only_s256_is_taken(self, house: House, method: str | None) -> None:
        """RFC 7636, section 4.3: without a method it would be `plain`, which is off."""
        client = await house.public_client()

        back = await refused(house, client, code_challenge_method=method)

        assert back["error"] == "invalid_request"

    @pytest.mark.bar("A3-3.1", "CHECK-7")
    @pytest.mark.parametrize("challenge", ["A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "+", "\u00e9" * 43])
    async def test_a_challenge_is_43_characters_of_base64url(self, house: House, challenge: str) -> None:
        """RFC 7636, section 4.2."""
        client = await house.public_client()

        back = await refused(house, client, code_challenge=challenge)

        assert back["error"] == "invalid_request"

    @pytest.mark.bar("A1-1.8", "A3-3.1", "CHECK-7")
    @pytest.mark.parametrize(
        "verifier",
        [None, "w" * 43, VERIFIER[:-1], VERIFIER + "x", "v" * 42, "v" * 129, CHALLENGE, "\u00e9" * 50],
    )
    async def test_a_wrong_verifier_gets_no_token(self, house: House, verifier: str | None) -> None:
        """RFC 7636, section 4.6."""
        client = await house.public_client()
        back = await house.authorize(client)

        answered = await house.exchanged(client, back, code_verifier=verifier)

        assert answered.status_code == 400
        assert answered.json()["error"] in {"invalid_grant", "invalid_request"}
        assert "access_token" not in answered.text

    @pytest.mark.bar("A1-1.8", "CHECK-7")
    async def test_a_verifier_without_a_challenge_is_refused(self, house: House) -> None:
        """RFC 9700, section 2.1.1: somebody took the challenge away on the way (PKCE downgrade)."""
        client = await house.client(policy=ClientPolicy(requires_pkce=False))
        back = await house.authorize(client, code_challenge=None, code_challenge_method=None)

        answered = await house.exchanged(client, back)

        assert answered.status_code == 400
        assert answered.json()["error"] in {"invalid_grant", "invalid_request"}


class TestScopesAndResources:
    """What tokens are asked for."""

    @pytest.mark.bar("A1-1.15", "A30-30.7")
    async def test_without_a_scope_there_is_a_default(self, house: House, client: TestClient) -> None:
        """OAuth 2.1, section 1.4.1: that of the resource, else what the client registered, else `openid`."""
        of_resource = await house.tokens(client, scope=None, resource=MCP)
        of_client = await house.tokens(await house.client(scope="openid email"), scope=None)
        of_nobody = await house.tokens(client, scope=None)

        assert of_resource["scope"] == "tools:read"
        assert of_client["scope"] == "openid email"
        assert of_nobody["scope"] == "openid"

    @pytest.mark.bar("A1-1.16")
    async def test_the_scope_is_told_where_it_is_another_one(self, house: House, client: TestClient) -> None:
        """RFC 6749, section 3.3: unknown scopes are left out, and the answer says so."""
        tokens = await house.tokens(client, scope="openid nothing:known tools:read", resource=MCP)

        assert tokens["scope"].split() == ["openid", "tools:read"]

    @pytest.mark.bar("A1-1.16")
    async def test_a_refresh_asks_for_no_more(self, house: House) -> None:
        """RFC 6749, section 6."""
        client = await house.public_client()
        tokens = await house.tokens(client, scope="tools:read", resource=MCP)

        wider = await house.refreshed(client, tokens["refresh_token"], scope="tools:read tools:write")

        assert wider.status_code == 400
        assert wider.json()["error"] == "invalid_scope"

    @pytest.mark.bar("A6-6.1", "A30-30.6")
    async def test_a_resource_makes_the_audience(self, house: House, client: TestClient) -> None:
        """RFC 8707, section 2; however it is written, the token says it as it was registered."""
        for asked in (MCP, "HTTPS://API.example.com/mcp", "https://api.example.com:443/mcp"):
            tokens = await house.tokens(client, scope="tools:read", resource=asked)
            assert claims_of(tokens["access_token"])["aud"] == MCP, asked

    @pytest.mark.bar("A6-6.1")
    async def test_of_several_resources_the_token_request_chooses_one(
        self, house: House, client: TestClient
    ) -> None:
        """RFC 8707, section 2.2."""
        back = await house.authorize(client, scope="tools:read notes:read", resource=[MCP, NOTES])

        tokens = await house.exchange(client, back, resource=NOTES)

        assert claims_of(tokens["access_token"])["aud"] == NOTES
        assert claims_of(tokens["access_token"])["scope"] == "notes:read"

    @pytest.mark.bar("A6-6.1")
    async def test_a_client_that_is_bound_to_resources_gets_no_other(self, house: House) -> None:
        client = await house.client(policy=ClientPolicy(resources=(NOTES,)))

        assert (await refused(house, client, resource=MCP, scope=None))["error"] == "invalid_target"

    @pytest.mark.bar("CHECK-20")
    async def test_a_flood_of_scopes_is_refused_before_it_is_read(
        self, house: House, client: TestClient
    ) -> None:
        """A megabyte by form, and as much by address as any server in front of us lets through."""
        form = urlencode({**house.request(client), "scope": "a " * 500_000})
        long = urlencode({**house.request(client), "scope": "a " * 30_000})
        await house.ask(client, None)

        posted = await house.http.post("/oauth/authorize", content=form, headers=FORM)
        started = time.process_time()
        asked = await house.get(f"/oauth/authorize?{long}")
        spent = time.process_time() - started

        assert posted.status_code == 413
        assert asked.status_code == 414
        assert spent < 0.05  # with the work of the client, which shares the processor


class TestFormPost:
    """Answers by a form that posts itself (OAuth 2.0 Form Post Response Mode; row 23.1)."""

    @pytest.mark.bar("A23-23.1", "A12-12.1")
    async def test_the_answer_is_a_form(self, house: House, client: TestClient) -> None:
        page = await house.answer(await house.ask(client, response_mode="form_post", state="s+&=\u00e9"))

        assert page.status_code == 200
        assert page.headers["cache-control"] == "no-store"
        assert f'<form id="answer" method="post" action="{CALLBACK}">' in page.text
        fields = fields_of(page, CALLBACK)
        assert fields.keys() == {"code", "state", "iss"}
        assert fields["state"] == "s+&=\u00e9"
        tokens = await house.exchange(client, fields)
        assert tokens["token_type"] == "Bearer"

    @pytest.mark.bar("A23-23.1", "ASVS-1.1.2")
    async def test_nothing_in_it_becomes_markup(self, house: House, client: TestClient) -> None:
        evil = '"><script>alert(1)</script>'

        page = await house.answer(await house.ask(client, response_mode="form_post", state=evil))

        assert "<script>alert" not in page.text
        assert fields_of(page, CALLBACK)["state"] == evil

    @pytest.mark.bar("A23-23.1")
    async def test_only_its_own_script_runs_and_it_goes_to_the_client_only(
        self, house: House, client: TestClient
    ) -> None:
        page = await house.answer(await house.ask(client, response_mode="form_post"))

        policy = page.headers["content-security-policy"]
        nonce = policy.partition("script-src 'nonce-")[2].partition("'")[0]
        assert nonce
        assert f'<script nonce="{nonce}">' in page.text
        assert "form-action https://app.example;" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["referrer-policy"] == "no-referrer"

    @pytest.mark.bar("A23-23.1")
    async def test_it_works_without_a_script(self, house: House, client: TestClient) -> None:
        page = await house.answer(await house.ask(client, response_mode="form_post"))

        assert '<button class="button full" type="submit">' in page.text

    @pytest.mark.bar("A23-23.1", "A12-12.1")
    async def test_refusals_come_by_form_too(self, house: House, client: TestClient) -> None:
        page = await house.ask(client, response_mode="form_post", scope="nothing:known")

        fields = fields_of(page, CALLBACK)
        assert fields["error"] == "invalid_scope"
        assert fields["iss"] == house.runtime.settings.public_url


async def test_a_request_waits_as_it_was_asked(house: House) -> None:
    """What stands in the address of later pages changes nothing: the request waits in the database."""
    client = await house.client()
    asked = await house.ask(client, None)
    there = dict(parse_qsl(urlsplit(asked.headers["location"]).query))["next"]
    extra = urlencode({"redirect_uri": "https://evil.example/", "scope": "openid email", "state": "other"})

    resumed = await house.get(f"{there}&{extra}")
    page = await house.get(f"{resumed.headers['location']}&{extra}")
    given = await answer(house, page)

    assert given.headers["location"].startswith(f"{CALLBACK}?code=")
    assert returned(given)["state"] == "st-1"
    tokens = await house.exchange(client, returned(given))
    assert tokens["scope"] == "openid"


async def test_consent_is_asked_with_a_short_secret_alone(house: House) -> None:
    """Neither state nor nonce nor challenge stands in an address of ours, where logs would keep it."""
    client = await house.client()

    page = await consent_page(house, client, state="very-secret-state", nonce="very-secret-nonce")

    assert "very-secret" not in str(page.request.url)
    assert "very-secret" not in page.text
