"""What the authorization server says of itself, for programs.

RFC 8414, section 2, and OpenID Connect Discovery 1.0, section 3, in one document that both addresses answer with; each
extension adds its members only where it is on. Clients refuse an `issuer` that differs by one byte from the address
they asked, so it is never built, only repeated (RFC 8414, section 3.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portico.oauth.protocol.jarm_response_modes import MODES


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What is switched on. An empty tuple, False and None stand for off: nothing is said of it (RFC 8414, section 2).

    `endpoints` are addresses by the name that metadata gives them (`token_endpoint`); which are there says which
    extensions are on. `tls_endpoints` are those of them at which certificates are asked for.
    """

    issuer: str
    endpoints: dict[str, str]
    jwks_uri: str
    scopes: tuple[str, ...]
    claims: tuple[str, ...]
    grant_types: tuple[str, ...]
    auth_methods: tuple[str, ...]
    client_algorithms: tuple[str, ...]
    """JWS algorithms of client assertions."""
    id_token_algorithms: tuple[str, ...] = ("RS256",)
    userinfo_algorithms: tuple[str, ...] = ()
    introspection_algorithms: tuple[str, ...] = ()
    request_object_algorithms: tuple[str, ...] = ()
    """Empty where request objects are off."""
    takes_request_uris: bool = False
    dpop_algorithms: tuple[str, ...] = ()
    response_modes: tuple[str, ...] = tuple(MODES)
    response_algorithms: tuple[str, ...] = ()
    """JWS algorithms of signed authorization responses."""
    subject_types: tuple[str, ...] = ("public", "pairwise")
    acr_values: tuple[str, ...] = ()
    details_types: tuple[str, ...] = ()
    ui_locales: tuple[str, ...] = ()
    takes_client_documents: bool = False
    requires_pushed_requests: bool = False
    requires_signed_requests: bool = False
    binds_to_certificates: bool = False
    logs_out_by_backchannel: bool = True
    logs_out_by_frontchannel: bool = False
    tls_endpoints: dict[str, str] | None = None
    service_documentation: str | None = None
    protected_resources: tuple[str, ...] = ()


def server_metadata(abilities: Abilities) -> dict[str, Any]:
    """Return the document; both well-known addresses answer with it."""
    return {
        **_core(abilities),
        **_client_authentication(abilities),
        **_openid(abilities),
        **_requests(abilities),
        **_sender_constraint(abilities),
        **_logout(abilities),
        **_said(
            authorization_details_types_supported=abilities.details_types,
            introspection_signing_alg_values_supported=abilities.introspection_algorithms,
            authorization_signing_alg_values_supported=abilities.response_algorithms,
            service_documentation=abilities.service_documentation,
            protected_resources=abilities.protected_resources,
        ),
    }


def _core(abilities: Abilities) -> dict[str, Any]:
    """RFC 8414, section 2; `iss` in every answer is RFC 9207, section 3; S256 is all of PKCE that we take."""
    return {
        "issuer": abilities.issuer,
        **abilities.endpoints,
        "jwks_uri": abilities.jwks_uri,
        "scopes_supported": list(abilities.scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": list(abilities.response_modes),
        "grant_types_supported": list(abilities.grant_types),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        **_said(
            client_id_metadata_document_supported=abilities.takes_client_documents,
            ui_locales_supported=abilities.ui_locales,
        ),
    }


def _client_authentication(abilities: Abilities) -> dict[str, Any]:
    """RFC 8414, section 2: the same methods at each endpoint; those that sign name their algorithms, never `none`."""
    signs = any(method.endswith("_jwt") for method in abilities.auth_methods)
    said: dict[str, Any] = {}
    for name in ("token", "revocation", "introspection"):
        if f"{name}_endpoint" not in abilities.endpoints:
            continue
        methods = _methods_at(name, abilities.auth_methods)
        said[f"{name}_endpoint_auth_methods_supported"] = methods
        if signs:
            said[f"{name}_endpoint_auth_signing_alg_values_supported"] = list(abilities.client_algorithms)
    return said


def _methods_at(endpoint: str, methods: Sequence[str]) -> list[str]:
    """RFC 7662, section 2.1: whoever asks about tokens proves who it is."""
    return [method for method in methods if endpoint != "introspection" or method != "none"]


def _openid(abilities: Abilities) -> dict[str, Any]:
    """OpenID Connect Discovery 1.0, section 3."""
    return {
        "subject_types_supported": list(abilities.subject_types),
        "id_token_signing_alg_values_supported": list(abilities.id_token_algorithms),
        "claims_supported": list(abilities.claims),
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": True,
        **_said(
            userinfo_signing_alg_values_supported=abilities.userinfo_algorithms,
            acr_values_supported=abilities.acr_values,
        ),
    }


def _requests(abilities: Abilities) -> dict[str, Any]:
    """RFC 9101, section 10.5; RFC 9126, section 5. `request_uri` counts as on unless it is denied (Discovery, 3)."""
    return {
        "request_parameter_supported": bool(abilities.request_object_algorithms),
        "request_uri_parameter_supported": abilities.takes_request_uris,
        **_said(
            request_object_signing_alg_values_supported=abilities.request_object_algorithms,
            require_signed_request_object=abilities.requires_signed_requests,
            require_pushed_authorization_requests=abilities.requires_pushed_requests,
        ),
    }


def _sender_constraint(abilities: Abilities) -> dict[str, Any]:
    """RFC 9449, section 5.1; RFC 8705, sections 3.3 and 5."""
    return _said(
        dpop_signing_alg_values_supported=abilities.dpop_algorithms,
        tls_client_certificate_bound_access_tokens=abilities.binds_to_certificates,
        mtls_endpoint_aliases=abilities.tls_endpoints,
    )


def _logout(abilities: Abilities) -> dict[str, Any]:
    """Back-Channel Logout 1.0, section 2.1; Front-Channel Logout 1.0, section 3. Logout tokens always have `sid`."""
    back, front = abilities.logs_out_by_backchannel, abilities.logs_out_by_frontchannel
    return _said(
        backchannel_logout_supported=back,
        backchannel_logout_session_supported=back,
        frontchannel_logout_supported=front,
        frontchannel_logout_session_supported=front,
    )


def _said(**members: object) -> dict[str, Any]:
    """Return the members that say something: what is off is not mentioned (RFC 8414, section 3.2)."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in members.items() if value
    }
