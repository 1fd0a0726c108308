"""What tokens say, how long they live, and by which keys (rows 1.9, 1.11, 1.18, 11.1, 21.1, 25.10, 30.8, 30.12)."""

from datetime import timedelta
from typing import Any

import pytest

from portico.keys.services import Keyring, rotate_keys
from portico.keys.settings import KeysSettings
from portico.keys.types import KeyPurpose
from portico.oauth.services.id_tokens import IdTokens
from portico.oauth.types import ClientPolicy
from tests.oauth.kit import House, claims_of
from tests.oauth.presenting import told, verified

pytestmark = pytest.mark.anyio


@pytest.mark.bar("A1-1.11")
async def test_the_redirect_need_not_be_named_again_but_must_be_the_same(house: House) -> None:
    """OAuth 2.1, section 10.2: not needed any more; where it is sent it is the one of the request."""
    client = await house.client(redirect_uris=["https://app.example/a", "https://app.example/b"])
    back = await house.authorize(client)

    other = await house.exchanged(client, back, redirect_uri="https://app.example/b")
    left_out = await house.exchanged(client, back, redirect_uri=None)

    assert (other.status_code, other.json()["error"]) == (400, "invalid_grant")
    assert left_out.status_code == 200


@pytest.mark.bar("A1-1.9")
@pytest.mark.parametrize("more", [{}, {"scope": "openid"}], ids=["in one trip", "in a unit"])
async def test_a_code_is_good_for_a_minute_for_whom_and_what_it_was_given(
    house: House, more: dict[str, str]
) -> None:
    """OAuth 2.1, section 4.1.2: what is wrong spends nothing but the chance of whoever sent it."""
    client, other = await house.client(), await house.client()
    late, good = await house.authorize(client), await house.authorize(client)

    answers = [
        await house.exchanged(other, good, redirect_uri=client.redirect_uri, **more),
        await house.exchanged(client, good, redirect_uri="https://app.example/other", **more),
        await house.exchanged(client, good, code_verifier="w" * 43, **more),
    ]
    house.clock.advance(timedelta(seconds=59))
    in_time = await house.exchanged(client, good, **more)
    house.clock.advance(timedelta(seconds=1))
    answers.append(await house.exchanged(client, late, **more))

    assert [answer.json()["error"] for answer in answers] == ["invalid_grant"] * 4
    assert in_time.status_code == 200


@pytest.mark.bar("A1-1.18")
@pytest.mark.parametrize("grant", ["password", "implicit", "urn:ietf:params:oauth:grant-type:saml2-bearer"])
async def test_nobody_gets_tokens_by_a_password_or_at_the_front(house: House, grant: str) -> None:
    """OAuth 2.1, section 10: neither does the one endpoint take it, nor the other hand out tokens."""
    client = await house.client()
    person: dict[str, Any] = {"username": "ada@example.org", "password": "correct horse battery staple 8"}

    answer = await house.token(client, grant_type=grant, **person)

    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.bar("A1-1.18")
async def test_what_a_client_gets_for_itself_is_not_refreshed(house: House) -> None:
    """RFC 6749, section 4.4.3, though it may refresh otherwise; one without a proof gets nothing for itself."""
    both = await house.client(grant_types=["authorization_code", "refresh_token", "client_credentials"])
    public = await house.public_client(grant_types=["authorization_code", "refresh_token"])

    own = await house.token(both, grant_type="client_credentials", scope="tools:read")
    refused = await house.token(public, grant_type="client_credentials", scope="tools:read")

    assert own.json().keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")


@pytest.mark.bar("A11-11.1")
async def test_an_access_token_says_all_that_a_resource_looks_at(house: House) -> None:
    """RFC 9068, sections 2.1 and 2.2; verified by the published keys."""
    client = await house.client()
    resource: dict[str, Any] = {"resource": "https://api.example.com/mcp", "scope": "tools:read"}
    machine = await house.client(redirect_uris=[], grant_types=["client_credentials"])

    header, claims = await verified(house, (await house.tokens(client, **resource))["access_token"])
    own = await house.token(machine, grant_type="client_credentials", **resource)
    own_header, own_claims = await verified(house, own.json()["access_token"])

    now = int(house.clock.now().timestamp())
    assert (header["typ"], header["alg"]) == (own_header["typ"], own_header["alg"]) == ("at+jwt", "ES256")
    assert {
        "iss": "http://localhost:8000",
        "aud": "https://api.example.com/mcp",
        "sub": str(house.people["ada"].id),
        "client_id": client.client_id,
        "iat": now,
        "exp": now + 900,
        "scope": "tools:read",
        "acr": "aal1",
    }.items() <= claims.items()
    assert claims["auth_time"] <= now
    assert claims["amr"]
    assert claims["jti"] != own_claims["jti"]
    assert own_claims["sub"] == own_claims["client_id"] == machine.client_id
    assert not {"auth_time", "acr", "amr"} & own_claims.keys()


@pytest.mark.bar("A21-21.1")
async def test_no_client_is_ever_taken_for_a_person(house: House) -> None:
    """RFC 9700, section 4.15: the subject of its own tokens is its id, which it does not choose."""
    ada = str(house.people["ada"].id)
    machine = await house.client(redirect_uris=[], grant_types=["client_credentials"])
    asked = {"redirect_uris": ["https://app.example/cb"], "client_id": ada}

    registered = await house.http.post("/oauth/register", json=asked)
    own = (await house.token(machine, grant_type="client_credentials")).json()["access_token"]

    assert registered.status_code == 201
    assert registered.json()["client_id"] != ada
    assert claims_of(own)["sub"] == machine.client_id
    assert (await told(house, own)).status_code == 403


@pytest.mark.bar("A21-21.1")
async def test_refresh_tokens_end_when_nobody_uses_them(house: House) -> None:
    """RFC 9700, section 4.14.2: by what the settings say, and by what the client's policy says."""
    usual = await house.public_client()
    brief = await house.client(policy=ClientPolicy(refresh_idle_seconds=3600))
    first, short = await house.tokens(usual), await house.tokens(brief)

    house.clock.advance(timedelta(minutes=59))
    kept = await house.refreshed(brief, short["refresh_token"])
    house.clock.advance(timedelta(minutes=61))
    over = await house.refreshed(brief, kept.json()["refresh_token"])
    house.clock.advance(timedelta(days=30))
    old = await house.refreshed(usual, first["refresh_token"])

    assert kept.status_code == 200
    assert [answer.json()["error"] for answer in (over, old)] == ["invalid_grant"] * 2


@pytest.mark.bar("A30-30.8", "A30-30.1", "A1-1.17")
@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
async def test_who_registered_for_refresh_tokens_gets_them_and_they_rotate(house: House, method: str) -> None:
    """Without `offline_access` too; who did not register for them gets none, whatever it asks for."""
    client = await house.client(token_endpoint_auth_method=method)
    without = await house.client(token_endpoint_auth_method=method, grant_types=["authorization_code"])

    tokens = await house.tokens(client)
    again = (await house.refreshed(client, tokens["refresh_token"])).json()
    none = await house.tokens(without, scope="openid offline_access", prompt="consent")

    assert again["refresh_token"] != tokens["refresh_token"]
    assert "refresh_token" not in none


@pytest.mark.bar("A30-30.12", "A11-11.1")
async def test_access_tokens_are_short_lived(house: House) -> None:
    """A quarter of an hour by default, and what the client's policy says."""
    usual = await house.tokens(await house.client())
    brief = await house.tokens(await house.client(policy=ClientPolicy(access_token_seconds=60)))

    for tokens, seconds in ((usual, 900), (brief, 60)):
        claims = claims_of(tokens["access_token"])
        assert tokens["expires_in"] == claims["exp"] - claims["iat"] == seconds


@pytest.mark.bar("A25-25.10")
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_rotation_publishes_first_and_keeps_what_was(house: House, algorithm: str) -> None:
    """OpenID Connect Core 1.0, section 10.1.1: the next key is published before its use, the old one stays."""
    client = await house.client(id_token_signed_response_alg=algorithm)
    before = await house.tokens(client)
    purpose = KeyPurpose.ID_TOKEN if algorithm == "RS256" else KeyPurpose.ID_TOKEN_ES256
    published = {key["kid"] for key in house.runtime.get(Keyring).jwks()["keys"]}

    rotated = await rotate_keys(house.runtime, house.runtime.unit(), purpose=purpose)
    announced = {key["kid"] for key in (await house.http.get("/.well-known/jwks.json")).json()["keys"]}
    house.clock.advance(timedelta(hours=1))
    after = (await house.refreshed(client, before["refresh_token"])).json()

    assert rotated.kid not in published
    assert published | {rotated.kid} == announced
    assert house.runtime.get(IdTokens).read_hint(before["id_token"]) is not None
    assert house.runtime.get(IdTokens).read_hint(after["id_token"]) is not None
    assert header_of(after["id_token"])["kid"] == rotated.kid


@pytest.mark.bar("A25-25.10")
async def test_a_key_is_published_as_long_as_a_token_of_it_may_live(house: House) -> None:
    """And whoever keeps the keys has the next one before it signs: what may be kept is less than the lead."""
    settings = house.runtime.section(KeysSettings)
    old = header_of((await house.tokens(await house.client()))["id_token"])["kid"]
    await rotate_keys(house.runtime, house.runtime.unit(), purpose=KeyPurpose.ID_TOKEN)

    async def is_published() -> bool:
        answer = await house.http.get("/.well-known/jwks.json")
        kept = int(answer.headers["cache-control"].partition("max-age=")[2])
        assert timedelta(0) < timedelta(seconds=kept) < settings.publication_lead
        return old in {key["kid"] for key in answer.json()["keys"]}

    house.clock.advance(settings.publication_lead + settings.longest_token_life - timedelta(seconds=1))
    to_the_end = await is_published()
    house.clock.advance(timedelta(minutes=2))
    afterwards = await is_published()

    assert to_the_end
    assert not afterwards


def header_of(token: str) -> dict[str, str]:
    return claims_of(f".{token.partition('.')[0]}.")
