"""Authlib, which nobody here wrote, at a real server over HTTP: of that it knows the issuer's URL and nothing else."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
import uvicorn
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from portico.core.clock import SystemClock
from portico.oauth.types import ClientPolicy
from portico.testing.consent import consent
from tests.oauth.kit import CALLBACK, House
from tests.sessions.people import FAST_HASHES, PASSWORD

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

MCP = "https://api.example.com/mcp"
TOOLS = {"identifier": MCP, "name": "Tools", "scopes": {"tools:read": "Read your tools"}}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def clock() -> SystemClock:
    """Let time pass: Authlib has a clock of its own."""
    return SystemClock()


@pytest.fixture
def settings_overrides(listener: socket.socket) -> dict[str, Any]:
    return {
        "public_url": f"http://127.0.0.1:{listener.getsockname()[1]}",
        "credentials": FAST_HASHES,
        "logging": {"access": False},
        "oauth": {"resources": [TOOLS], "dynamic_registration": "open"},
    }


@dataclass
class Provider:
    """The server as a stranger finds it, and a person who is willing to sign in there."""

    issuer: str
    house: House
    http: httpx2.AsyncClient
    metadata: dict[str, Any] = field(default_factory=dict)

    def client(self, **given: Any) -> AsyncOAuth2Client:
        """Return Authlib's client, which learns the endpoints from the metadata."""
        return AsyncOAuth2Client(redirect_uri=CALLBACK, code_challenge_method="S256", **given)

    async def connect(self, client: AsyncOAuth2Client, **parameters: Any) -> dict[str, Any]:
        """Send Ada through sign-in and consent, and exchange the code; return the tokens."""
        verifier = generate_token(64)
        url, state = client.create_authorization_url(
            self.metadata["authorization_endpoint"], code_verifier=verifier, **parameters
        )
        back = await consent(self.http, url, "ada@example.org", PASSWORD)
        assert httpx2.URL(back).params["iss"] == self.issuer
        tokens: dict[str, Any] = await client.fetch_token(
            self.metadata["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
        )
        return tokens


@pytest.fixture
async def provider(app: FastAPI, house: House, listener: socket.socket) -> AsyncIterator[Provider]:
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, ws="none"))
    with contextlib.suppress(asyncio.CancelledError):
        serving = asyncio.create_task(server.serve(sockets=[listener.dup()]))
        while not server.started:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        async with httpx2.AsyncClient() as http:
            made = Provider(app.state.runtime.settings.public_url, house, http)
            found = await http.get(f"{made.issuer}/.well-known/oauth-authorization-server")
            made.metadata = found.json()
            yield made
        server.should_exit = True
        await serving


async def test_it_takes_our_metadata(provider: Provider) -> None:
    found = await provider.http.get(f"{provider.issuer}/.well-known/openid-configuration")
    of_openid = OpenIDProviderMetadata(found.json())

    # Authlib insists on https, which an issuer on this machine has not.
    plain = [name for name, value in of_openid.items() if str(value).startswith("http://")]
    secured = {name: str(of_openid[name]).replace("http://", "https://") for name in plain}
    OpenIDProviderMetadata({**of_openid, **secured}).validate()
    AuthorizationServerMetadata({**provider.metadata, **secured}).validate()


@pytest.mark.bar("A1-1.16")
async def test_a_registered_client_signs_somebody_in(provider: Provider) -> None:
    wish = {
        "redirect_uris": [CALLBACK],
        "client_name": "Authlib",
        "grant_types": ["authorization_code", "refresh_token"],
    }
    registered = (await provider.http.post(provider.metadata["registration_endpoint"], json=wish)).json()
    async with provider.client(
        client_id=registered["client_id"],
        client_secret=registered.get("client_secret"),
        scope="openid email",
    ) as client:
        nonce = generate_token()
        tokens = await provider.connect(client, nonce=nonce)
        told = (await client.get(f"{provider.issuer}/oauth/userinfo")).json()

        keys = KeySet.import_key_set((await client.get(provider.metadata["jwks_uri"])).json())
        read = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"])
        params = {"nonce": nonce, "client_id": client.client_id, "access_token": tokens["access_token"]}
        options = {"iss": {"values": [provider.issuer]}, "aud": {"value": client.client_id}}
        claims = CodeIDToken(read.claims, read.header, options, params)
        claims.validate()

        assert told["sub"] == claims["sub"] == str(provider.house.people["ada"].id)
        assert told["email"] == "ada@example.org"
        claims.params["nonce"] = "another"
        with pytest.raises(Exception, match="nonce"):
            claims.validate()


@pytest.mark.bar("A1-1.17", "A9-9.1", "A10-10.1")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_tokens_are_refreshed_asked_about_and_given_back(provider: Provider, method: str) -> None:
    made = await provider.house.client(token_endpoint_auth_method=method)
    async with provider.client(
        client_id=made.client_id,
        client_secret=made.secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        scope="tools:read",
    ) as client:
        first = dict(await provider.connect(client, resource=MCP))
        second = dict(await client.refresh_token(provider.metadata["token_endpoint"], resource=MCP))
        asked = await client.introspect_token(
            provider.metadata["introspection_endpoint"], second["access_token"]
        )
        given_back = await client.revoke_token(
            provider.metadata["revocation_endpoint"], second["refresh_token"]
        )
        after = await client.introspect_token(
            provider.metadata["introspection_endpoint"], second["access_token"]
        )

        assert second["refresh_token"] != first["refresh_token"]
        assert (asked.json()["active"], asked.json()["aud"]) == (True, MCP)
        assert given_back.status_code == 200
        assert after.json() == {"active": False}
        with pytest.raises(OAuthError, match="invalid_grant"):
            await client.refresh_token(provider.metadata["token_endpoint"], second["refresh_token"])


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_client_gets_a_token_of_its_own_by_its_secret(provider: Provider, method: str) -> None:
    made = await provider.house.client(
        token_endpoint_auth_method=method, redirect_uris=[], grant_types=["client_credentials"]
    )
    async with provider.client(
        client_id=made.client_id, client_secret=made.secret, token_endpoint_auth_method=method
    ) as client:
        tokens = await client.fetch_token(
            provider.metadata["token_endpoint"],
            grant_type="client_credentials",
            scope="tools:read",
            resource=MCP,
        )

    assert (tokens["token_type"], tokens["scope"]) == ("Bearer", "tools:read")


@pytest.mark.parametrize("audience", ["issuer", "token endpoint"])
async def test_a_client_gets_a_token_of_its_own_by_its_key(provider: Provider, audience: str) -> None:
    key = ECKey.generate_key("P-256", parameters={"kid": "k1"})
    made = await provider.house.client(
        token_endpoint_auth_method="private_key_jwt",
        redirect_uris=[],
        grant_types=["client_credentials"],
        jwks={"keys": [key.as_dict(private=False)]},
        policy=ClientPolicy(accepts_legacy_audience=audience == "token endpoint"),
    )
    aud = {"issuer": provider.issuer, "token endpoint": provider.metadata["token_endpoint"]}[audience]
    async with provider.client(
        client_id=made.client_id, client_secret=key, token_endpoint_auth_method="private_key_jwt"
    ) as client:
        client.register_client_auth_method(PrivateKeyJWT(aud, alg="ES256", headers={"kid": "k1"}))
        tokens = await client.fetch_token(
            provider.metadata["token_endpoint"],
            grant_type="client_credentials",
            scope="tools:read",
            resource=MCP,
        )

    assert tokens["scope"] == "tools:read"


async def test_it_hears_why_it_was_refused(provider: Provider) -> None:
    made = await provider.house.client(redirect_uris=[], grant_types=["client_credentials"])
    async with provider.client(client_id=made.client_id, client_secret="wrong") as client:
        with pytest.raises(OAuthError, match="invalid_client"):
            await client.fetch_token(provider.metadata["token_endpoint"], grant_type="client_credentials")
