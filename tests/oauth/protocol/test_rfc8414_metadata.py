"""What the server says of itself: complete, consistent, and nothing that is off (RFC 8414; Discovery 1.0)."""

from dataclasses import replace

import pytest

from portico.oauth.protocol.rfc8414_metadata import Abilities, server_metadata

ISSUER = "https://id.example"
NAMES = (
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "registration_endpoint",
    "pushed_authorization_request_endpoint",
    "device_authorization_endpoint",
    "end_session_endpoint",
)
ALL = Abilities(
    issuer=ISSUER,
    endpoints={name: f"{ISSUER}/oauth/{name}" for name in NAMES},
    jwks_uri=f"{ISSUER}/.well-known/jwks.json",
    scopes=("openid", "offline_access"),
    claims=("sub", "name"),
    grant_types=("authorization_code", "refresh_token"),
    auth_methods=("none", "client_secret_basic", "private_key_jwt"),
    client_algorithms=("ES256", "PS256"),
    userinfo_algorithms=("RS256",),
    introspection_algorithms=("RS256",),
    response_algorithms=("RS256",),
    request_object_algorithms=("ES256",),
    dpop_algorithms=("ES256",),
    acr_values=("aal1",),
    details_types=("payment",),
    ui_locales=("en", "de"),
    takes_client_documents=True,
    requires_pushed_requests=True,
    requires_signed_requests=True,
    binds_to_certificates=True,
    logs_out_by_frontchannel=True,
    tls_endpoints={"token_endpoint": "https://tls.id.example/oauth/token"},
    service_documentation="https://id.example/docs",
    protected_resources=("https://api.example",),
)
LEAST = Abilities(
    issuer=ISSUER,
    endpoints={name: f"{ISSUER}/oauth/{name}" for name in NAMES[:3]},
    jwks_uri=f"{ISSUER}/.well-known/jwks.json",
    scopes=("openid",),
    claims=("sub",),
    grant_types=("authorization_code",),
    auth_methods=("none",),
    client_algorithms=("ES256",),
    logs_out_by_backchannel=False,
)


@pytest.mark.bar("A4-4.3", "A29-29.1", "A30-30.3", "A30-30.4")
def test_document_has_all_members() -> None:
    document = server_metadata(ALL)

    assert set(document) == {
        *NAMES,
        "issuer",
        "jwks_uri",
        "scopes_supported",
        "response_types_supported",
        "response_modes_supported",
        "grant_types_supported",
        "code_challenge_methods_supported",
        "authorization_response_iss_parameter_supported",
        "client_id_metadata_document_supported",
        "ui_locales_supported",
        "token_endpoint_auth_methods_supported",
        "token_endpoint_auth_signing_alg_values_supported",
        "revocation_endpoint_auth_methods_supported",
        "revocation_endpoint_auth_signing_alg_values_supported",
        "introspection_endpoint_auth_methods_supported",
        "introspection_endpoint_auth_signing_alg_values_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
        "claims_supported",
        "claim_types_supported",
        "claims_parameter_supported",
        "userinfo_signing_alg_values_supported",
        "acr_values_supported",
        "request_parameter_supported",
        "request_uri_parameter_supported",
        "request_object_signing_alg_values_supported",
        "require_signed_request_object",
        "require_pushed_authorization_requests",
        "dpop_signing_alg_values_supported",
        "tls_client_certificate_bound_access_tokens",
        "mtls_endpoint_aliases",
        "backchannel_logout_supported",
        "backchannel_logout_session_supported",
        "frontchannel_logout_supported",
        "frontchannel_logout_session_supported",
        "authorization_details_types_supported",
        "introspection_signing_alg_values_supported",
        "authorization_signing_alg_values_supported",
        "service_documentation",
        "protected_resources",
    }
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["response_types_supported"] == ["code"]


@pytest.mark.bar("A4-4.4")
def test_what_is_off_is_not_mentioned() -> None:
    document = server_metadata(LEAST)

    assert set(document) == {
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "issuer",
        "jwks_uri",
        "scopes_supported",
        "response_types_supported",
        "response_modes_supported",
        "grant_types_supported",
        "code_challenge_methods_supported",
        "authorization_response_iss_parameter_supported",
        "token_endpoint_auth_methods_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
        "claims_supported",
        "claim_types_supported",
        "claims_parameter_supported",
        "request_parameter_supported",
        "request_uri_parameter_supported",
    }
    assert document["request_parameter_supported"] is False
    assert document["request_uri_parameter_supported"] is False


@pytest.mark.bar("A4-4.3")
def test_nobody_asks_about_tokens_without_proof_and_none_is_no_algorithm() -> None:
    document = server_metadata(ALL)

    assert "none" in document["token_endpoint_auth_methods_supported"]
    assert "none" not in document["introspection_endpoint_auth_methods_supported"]
    assert not [name for name, value in document.items() if "_alg_" in name and "none" in value]


@pytest.mark.bar("A4-4.2")
@pytest.mark.parametrize(
    "issuer",
    ["https://id.example", "https://id.example/", "https://ID.example/tenant/", "http://localhost:8000"],
)
def test_issuer_is_repeated_byte_for_byte(issuer: str) -> None:
    assert server_metadata(replace(LEAST, issuer=issuer))["issuer"] == issuer
