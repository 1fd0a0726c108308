"""What tokens say, how long they live, and by which keys (rows 1.11, 11.1, 25.10, 30.12)."""

from datetime import timedelta

import pytest

from portico.keys.services import Keyring, rotate_keys
from portico.keys.types import KeyPurpose
from portico.oauth.services.id_tokens import IdTokens
from portico.oauth.types import ClientPolicy
from tests.oauth.kit import House, claims_of

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


def header_of(token: str) -> dict[str, str]:
    return claims_of(f".{token.partition('.')[0]}.")
