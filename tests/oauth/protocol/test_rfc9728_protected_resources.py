"""Documents of protected resources: what they say and where they lie (RFC 9728)."""

import pytest

from portico.oauth.protocol.rfc9728_protected_resources import (
    ResourceDescription,
    document_path,
    document_url,
    resource_metadata,
)


@pytest.mark.bar("A5-5.1")
@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("https://api.example", "/.well-known/oauth-protected-resource"),
        ("https://api.example/", "/.well-known/oauth-protected-resource"),
        ("https://api.example/mcp", "/.well-known/oauth-protected-resource/mcp"),
        ("https://api.example/v1/mcp/", "/.well-known/oauth-protected-resource/v1/mcp/"),
        ("https://api.example/mcp?tenant=1", "/.well-known/oauth-protected-resource/mcp?tenant=1"),
        ("https://api.example?tenant=1", "/.well-known/oauth-protected-resource?tenant=1"),
        ("https://api.example/?tenant=1", "/.well-known/oauth-protected-resource?tenant=1"),
    ],
)
def test_well_known_part_stands_between_host_and_path(resource: str, path: str) -> None:
    assert document_path(resource) == path


@pytest.mark.bar("A5-5.2")
def test_document_lies_on_the_host_of_the_resource() -> None:
    url = document_url("https://api.example:8443/mcp")

    assert url == "https://api.example:8443/.well-known/oauth-protected-resource/mcp"


@pytest.mark.parametrize("resource", ["urn:example:api", "https://api.example/#x", "api.example/mcp"])
def test_resource_without_a_host_has_no_document(resource: str) -> None:
    with pytest.raises(ValueError, match="https URL"):
        document_path(resource)


@pytest.mark.bar("A5-5.1", "A5-5.3")
def test_document_says_what_a_client_needs_and_no_scope_of_the_server() -> None:
    described = ResourceDescription(
        resource="https://API.example/mcp/",
        authorization_servers=("https://id.example",),
        scopes=("mcp:read", "offline_access"),
        dpop_algorithms=("ES256",),
        requires_dpop=True,
    )

    assert resource_metadata(described) == {
        "resource": "https://API.example/mcp/",
        "authorization_servers": ["https://id.example"],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["mcp:read"],
        "dpop_signing_alg_values_supported": ["ES256"],
        "dpop_bound_access_tokens_required": True,
    }


@pytest.mark.bar("A30-30.20")
def test_document_without_a_server_is_never_written() -> None:
    with pytest.raises(ValueError, match="authorization server"):
        resource_metadata(ResourceDescription(resource="https://api.example", authorization_servers=()))
