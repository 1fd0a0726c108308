"""Clients that nobody made: from nothing but a URL, or from a registration, to tokens, and to their end."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey

from portico.oauth.protocol.jose import sign
from portico.oauth.protocol.rfc7591_registration import metadata_of
from portico.testing.sinks import HttpSink, Received, answering
from tests.oauth.kit import CALLBACK, House, TestClient, returned
from tests.oauth.opening import TOOLS
from tests.sessions.people import FAST_HASHES

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
API = TOOLS["identifier"]


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "credentials": FAST_HASHES,
        "logging": {"access": False},
        "outbound": {"allow_loopback": True},
        "oauth": {"resources": [TOOLS], "dynamic_registration": "open"},
    }


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with HttpSink() as sink:
        yield sink


def publish(sink: HttpSink, **members: Any) -> TestClient:
    """Publish the document of a client; its URL is its id."""
    document: dict[str, Any] = {
        "client_id": sink.url,
        "client_name": "Notebook",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        **members,
    }
    sink.behaviour = answering(200, json.dumps(document).encode(), JSON)
    return TestClient(sink.url, None, None, None, CALLBACK)


async def register(house: House, **members: Any) -> tuple[TestClient, dict[str, Any]]:
    """Register a client over the wire; return it and its registration."""
    body = {
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "client_name": "Notebook",
        **members,
    }
    answer = await house.http.post("/oauth/register", json=body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    known = metadata_of({name: made[name] for name in ("redirect_uris", "grant_types", "response_types")})
    return TestClient(made["client_id"], None, made.get("client_secret"), known, CALLBACK), made


@pytest.mark.bar("A30-30.5", "A8-8.2", "A30-30.6")
async def test_client_gets_tokens_from_nothing_but_its_url(house: House, sink: HttpSink) -> None:
    client = publish(sink)

    tokens = await house.tokens(client, scope="openid tools:read", resource=API)
    again = await house.refreshed(client, tokens["refresh_token"], resource=API)

    assert again.status_code == 200
    assert len(sink.received) == 1


@pytest.mark.bar("A8-8.6", "CHECK-22", "ASVS-10.7.1")
async def test_changed_document_asks_the_person_again(house: House, sink: HttpSink) -> None:
    client = publish(sink)
    await house.tokens(client)
    silent = await house.ask(client)
    house.clock.advance(timedelta(minutes=11))
    publish(sink, redirect_uris=[CALLBACK, "https://evil.example/callback"])
    asked = await house.ask(client)

    assert silent.headers["location"].startswith(CALLBACK)
    assert asked.headers["location"].startswith("/oauth/consent")


@pytest.mark.bar("A30-30.25", "A1-1.22")
class TestNoConsentOfAnother:
    """To each client that registered itself people say yes anew, so that none rides on what another was allowed."""

    async def test_a_twin_inherits_nothing(self, house: House) -> None:
        """The same name, redirect and scopes, but for the id: neither by a page nor silently."""
        first, _ = await register(house)
        await house.tokens(first, scope="openid tools:read", resource=API)
        remembered = await house.ask(first, scope="openid tools:read", resource=API)
        twin, _ = await register(house)

        asked = await house.ask(twin, scope="openid tools:read", resource=API)
        silent = await house.ask(twin, scope="openid tools:read", resource=API, prompt="none")

        assert "code" in returned(remembered)
        assert asked.headers["location"].startswith("/oauth/consent?")
        assert returned(silent)["error"] == "consent_required"

    async def test_who_was_let_in_by_one_person_asks_the_next(self, house: House) -> None:
        client, _ = await register(house)
        await house.tokens(client, "ada")

        asked = await house.ask(client, "bob")

        assert asked.headers["location"].startswith("/oauth/consent?")

    async def test_a_no_to_the_twin_leaves_the_first_as_it_was(self, house: House) -> None:
        (first, _), (twin, _) = await register(house), await register(house)
        await house.tokens(first)
        refused = await house.authorize(twin, action="deny")

        again, asked = await house.ask(first), await house.ask(twin)

        assert refused["error"] == "access_denied"
        assert "code" in returned(again)
        assert asked.headers["location"].startswith("/oauth/consent?")

    async def test_neither_a_new_registration_nor_another_redirect_inherits(self, house: House) -> None:
        client, made = await register(house)
        await house.tokens(client)
        token = {"Authorization": f"Bearer {made['registration_access_token']}"}
        body = {
            "client_id": made["client_id"],
            "client_secret": made["client_secret"],
            "client_name": made["client_name"],
            "redirect_uris": [CALLBACK, "https://evil.example/callback"],
            "grant_types": made["grant_types"],
        }
        changed = await house.http.put(made["registration_client_uri"], json=body, headers=token)

        asked = await house.ask(client)
        deleted = await house.http.delete(made["registration_client_uri"], headers=token)
        anew, _ = await register(house)
        asked_anew = await house.ask(anew)

        assert (changed.status_code, deleted.status_code) == (200, 204), changed.text
        assert asked.headers["location"].startswith("/oauth/consent?")
        assert asked_anew.headers["location"].startswith("/oauth/consent?")

    async def test_a_document_inherits_nothing_from_a_registration(
        self, house: House, sink: HttpSink
    ) -> None:
        registered, _ = await register(house)
        await house.tokens(registered)

        asked = await house.ask(publish(sink))

        assert asked.headers["location"].startswith("/oauth/consent?")


@pytest.mark.bar("A8-8.7", "A30-30.9", "CHECK-22")
async def test_person_sees_where_the_answer_goes_and_no_picture_from_elsewhere(
    house: House, sink: HttpSink
) -> None:
    client = publish(sink, client_name="Your bank", logo_uri="https://tracker.example/logo.png")

    asked = await house.ask(client)
    page = await house.get(asked.headers["location"])

    assert "app.example" in page.text
    assert "tracker.example" not in page.text


@pytest.mark.bar("A1-1.3", "A8-8.2")
async def test_bad_document_is_a_page_and_never_a_redirect(house: House, sink: HttpSink) -> None:
    client = publish(sink, client_secret="x")

    answer = await house.ask(client)

    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.bar("A8-8.8", "A18-18.1", "A30-30.11")
async def test_client_proves_itself_by_the_keys_it_publishes_and_may_change_them(
    house: House, sink: HttpSink
) -> None:
    """The document and the keys lie at one server; a new key is found when it is first used."""
    keys = [ECKey.generate_key("P-256"), ECKey.generate_key("P-256")]
    published = [keys[0]]
    document = {
        "client_id": sink.url,
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": sink.url.replace("/hook", "/jwks"),
    }

    async def serve(request: Received, writer: Any) -> None:
        told: Any = document
        if request.path == "/jwks":
            told = {"keys": [key.as_dict(private=False) for key in published]}
        await answering(200, json.dumps(told).encode(), JSON)(request, writer)

    sink.behaviour = serve
    client = TestClient(sink.url, None, None, None, CALLBACK)

    def proof(key: ECKey, jti: str) -> dict[str, str]:
        now = int(house.clock.now().timestamp())
        claims = {
            "iss": sink.url,
            "sub": sink.url,
            "aud": "http://localhost:8000",
            "iat": now,
            "exp": now + 60,
        }
        return {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": sign({**claims, "jti": jti}, key.as_dict(private=True), "ES256"),
        }

    tokens = await house.exchange(client, await house.authorize(client), **proof(keys[0], "one"))
    published.append(keys[1])
    house.clock.advance(timedelta(seconds=31))
    again = await house.refreshed(client, tokens["refresh_token"], **proof(keys[1], "two"))
    bare = await house.refreshed(client, again.json()["refresh_token"])
    stranger = await house.refreshed(
        client, again.json()["refresh_token"], **proof(ECKey.generate_key("P-256"), "three")
    )

    assert again.status_code == 200, again.text
    assert [answer.json()["error"] for answer in (bare, stranger)] == ["invalid_client"] * 2


@pytest.mark.bar("A7-7.1", "A30-30.10", "A30-30.8")
@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
async def test_registered_client_goes_the_whole_way(house: House, method: str) -> None:
    client, _ = await register(house, token_endpoint_auth_method=method)

    tokens = await house.tokens(client, scope="openid tools:read", resource=API)
    again = await house.refreshed(client, tokens["refresh_token"])

    assert again.status_code == 200, again.text


@pytest.mark.bar("A7-7.7", "CHECK-3")
async def test_end_of_a_registration_ends_what_was_granted(house: House) -> None:
    client, made = await register(house)
    tokens = await house.tokens(client)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    before = await house.http.get("/oauth/userinfo", headers=headers)

    token = {"Authorization": f"Bearer {made['registration_access_token']}"}
    gone = await house.http.delete(made["registration_client_uri"], headers=token)
    after = await house.http.get("/oauth/userinfo", headers=headers)
    refreshed = await house.refreshed(client, tokens["refresh_token"])
    asked = await house.ask(client)

    assert (before.status_code, gone.status_code, after.status_code) == (200, 204, 401)
    assert refreshed.json()["error"] == "invalid_client"
    assert asked.status_code == 400
    assert "location" not in asked.headers


@pytest.mark.bar("A7-7.7", "CHECK-22")
async def test_changed_registration_takes_old_redirects_and_secrets_away(house: House) -> None:
    client, made = await register(house)
    await house.tokens(client)
    body = {
        "client_id": client.client_id,
        "redirect_uris": ["https://app.example/new"],
        "token_endpoint_auth_method": "none",
    }
    token = {"Authorization": f"Bearer {made['registration_access_token']}"}
    changed = await house.http.put(made["registration_client_uri"], json=body, headers=token)

    old = await house.ask(client)
    new = await house.ask(client, redirect_uri="https://app.example/new")
    with_secret = await house.token(client, grant_type="authorization_code", code="pcd_x")

    assert changed.status_code == 200
    assert (old.status_code, "location" in old.headers) == (400, False)
    assert new.headers["location"].startswith("/oauth/consent")
    assert with_secret.json()["error"] == "invalid_client"
