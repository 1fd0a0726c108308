"""Our own API as a protected resource (rows 2.x, 5.x, 30.20 to 30.23)."""

import pytest

from portico.oauth.types import ClientSource
from tests.integration.ground import API
from tests.oauth.kit import House

pytestmark = pytest.mark.anyio
METADATA = "http://localhost:8000/.well-known/oauth-protected-resource/api/v1"


@pytest.mark.bar("A5-5.1", "A5-5.3", "A30-30.20")
@pytest.mark.parametrize("path", ["", "/api/v1"])
async def test_it_says_who_gives_tokens_for_it(house: House, path: str) -> None:
    """RFC 9728, section 3: at the path with the resource's inserted, and at the root."""
    answer = await house.http.get(f"/.well-known/oauth-protected-resource{path}")

    document = answer.json()
    assert document["resource"] == "http://localhost:8000/api/v1"
    assert document["authorization_servers"] == ["http://localhost:8000"]
    assert "user:self:read" in document["scopes_supported"]
    assert not [scope for scope in document["scopes_supported"] if scope.startswith("platform:")]
    assert "offline_access" not in document["scopes_supported"]
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.bar("A2-2.1", "A30-30.20")
async def test_without_a_token_it_names_its_metadata_and_no_error(house: House) -> None:
    """RFC 6750, section 3.1; RFC 9728, section 5.1."""
    house.http.cookies.clear()
    answer = await house.http.get(f"{API}/users/me")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == f'Bearer realm="portico", resource_metadata="{METADATA}"'


@pytest.mark.bar("A2-2.2", "A30-30.20")
async def test_a_bad_token_is_told_so_with_the_metadata(house: House) -> None:
    """RFC 6750, section 3.1."""
    house.http.cookies.clear()
    answer = await house.http.get(f"{API}/users/me", headers={"Authorization": "Bearer a.b.c"})

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert f'resource_metadata="{METADATA}"' in answer.headers["www-authenticate"]


@pytest.mark.bar("A2-2.2", "A30-30.23")
async def test_a_missing_scope_is_named(house: House) -> None:
    """RFC 6750, section 3.1: 403 with what is needed, so that a client can ask for it."""
    client = await house.public_client()
    tokens = await house.tokens(client, resource="http://localhost:8000/api/v1", scope="user:self:read")
    house.http.cookies.clear()
    answer = await house.http.patch(
        f"{API}/users/me",
        json={"full_name": "Ada"},
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
    )

    assert answer.status_code == 403
    said = answer.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in said
    assert 'scope="user:self:update"' in said or 'scope="user:self:write"' in said
    assert f'resource_metadata="{METADATA}"' in said


async def test_nobody_but_an_administrator_gives_rights_over_the_platform(house: House) -> None:
    client = await house.public_client()

    back = await house.authorize(
        client, resource="http://localhost:8000/api/v1", scope="user:self:read platform:user:read"
    )

    assert (await house.exchange(client, back))["scope"] == "user:self:read"


@pytest.mark.bar("CHECK-22")
@pytest.mark.parametrize("source", [ClientSource.DYNAMIC, ClientSource.DOCUMENT])
async def test_what_a_client_says_of_itself_gives_no_rights_over_the_platform(
    house: House, source: ClientSource
) -> None:
    client = await house.client(
        source=source,
        client_id=f"https://{source}.example/client" if source is ClientSource.DOCUMENT else None,
        scope="user:self:read platform:user:read",
    )

    back = await house.authorize(
        client, resource="http://localhost:8000/api/v1", scope="user:self:read platform:user:read"
    )

    assert (await house.exchange(client, back))["scope"] == "user:self:read"


async def test_a_client_has_not_just_signed_in_whoever_let_it_in(house: House) -> None:
    """What asks for a fresh sign-in is not done by a program, also not by one with the right in its scope."""
    await house.person("grace", superuser=True)
    client = await house.client(scope="platform:oauth_client:manage")
    tokens = await house.tokens(
        client, "grace", resource="http://localhost:8000/api/v1", scope="platform:oauth_client:manage"
    )
    house.http.cookies.clear()
    answer = await house.http.post(
        f"{API}/admin/oauth/clients",
        json={"kind": "machine", "client_name": "Another"},
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required"), answer.text
