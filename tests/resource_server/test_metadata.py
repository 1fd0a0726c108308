"""What the resource says of itself, where, and to whom (RFC 9728)."""

import pytest

from tests.resource_server.conftest import API, Api, Declaring, Issuer

pytestmark = pytest.mark.anyio

PATH = "/.well-known/oauth-protected-resource"


@pytest.mark.bar("A5-5.1", "A5-5.3", "A30-30.20")
async def test_document(small_api: Api, issuer: Issuer) -> None:
    answer = await small_api.client.get(f"{PATH}/notes")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {
        "resource": API,
        "authorization_servers": [issuer.url],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["notes:read", "notes:write", "notes:all"],
        "dpop_signing_alg_values_supported": [
            "ES256",
            "ES384",
            "ES512",
            "Ed25519",
            "EdDSA",
            "PS256",
            "RS256",
        ],
    }


@pytest.mark.bar("A4-4.5")
async def test_pages_of_every_origin_may_read_it(small_api: Api) -> None:
    read = await small_api.client.get(f"{PATH}/notes", headers={"Origin": "http://localhost:6274"})
    asked = await small_api.client.options(f"{PATH}/notes")

    assert read.headers["access-control-allow-origin"] == "*"
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, "*")
    assert "MCP-Protocol-Version" in asked.headers["access-control-allow-headers"]


@pytest.mark.bar("A5-5.1")
async def test_root_only_where_it_was_asked_for(small_api: Api, declared: Declaring) -> None:
    both = Api(declared(also_at_root=True))

    assert (await small_api.client.get(PATH)).status_code == 404
    assert (await both.client.get(PATH)).json()["resource"] == API
    assert (await both.client.get(f"{PATH}/notes")).json()["resource"] == API


@pytest.mark.bar("A5-5.1", "A5-5.2")
async def test_resource_that_is_a_whole_host(declared: Declaring) -> None:
    host = Api(declared(identifier="https://api.example.com", also_at_root=True))
    challenge = (await host.read()).headers["www-authenticate"]

    assert f'resource_metadata="https://api.example.com{PATH}"' in challenge
    assert (await host.client.get(PATH)).json()["resource"] == "https://api.example.com"


async def test_what_else_a_resource_may_say(declared: Declaring) -> None:
    notes = declared(name="Notes", requires_dpop=True, certificate_header="Client-Cert")
    document = (await Api(notes).client.get(f"{PATH}/notes")).json()

    assert document["resource_name"] == "Notes"
    assert document["dpop_bound_access_tokens_required"] is True
    assert document["tls_client_certificate_bound_access_tokens"] is True
