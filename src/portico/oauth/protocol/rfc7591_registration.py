"""Registering a client: what it may have, and what is put in the place of what is not offered.

RFC 7591, sections 2 and 3. Members are read in `rfc7591_members`, what must hold between them is said in
`rfc7591_consistency`; what is not among them is ignored, never an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portico.oauth.protocol.redirect_uris import check_redirect_uris, fault_of
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc7591_consistency import check_consistency
from portico.oauth.protocol.rfc7591_members import (
    AUTHORIZATION_CODE,
    NO_PROOF,
    SECRET_METHODS,
    ClientMetadata,
    as_document,
    metadata_of,
    read_members,
)

__all__ = [
    "AUTH_METHODS",
    "GRANT_TYPES",
    "NO_PROOF",
    "SECRET_METHODS",
    "ClientMetadata",
    "RegistrationPolicy",
    "as_document",
    "metadata_of",
    "read_metadata",
]

REFRESH_TOKEN = "refresh_token"
CLIENT_CREDENTIALS = "client_credentials"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANT_TYPES = (
    AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS, DEVICE_CODE, TOKEN_EXCHANGE, JWT_BEARER,
)  # fmt: skip
PROVEN_GRANT_TYPES = frozenset({CLIENT_CREDENTIALS, TOKEN_EXCHANGE, JWT_BEARER})
"""Those for which a client must prove who it is (RFC 6749, section 4.4; RFC 8693, section 2.1)."""

KEY_METHODS = ("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
AUTH_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", NO_PROOF)
"""What is on without a setting."""
SERVER_ALGORITHMS = frozenset({"RS256", "ES256"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationPolicy:
    """What a client may have. `scopes` is None where every scope may be named."""

    grant_types: frozenset[str] = frozenset(GRANT_TYPES)
    auth_methods: tuple[str, ...] = AUTH_METHODS
    custom_schemes: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None
    details_types: frozenset[str] = frozenset()
    server_algorithms: frozenset[str] = SERVER_ALGORITHMS
    """What we can sign ID tokens, userinfo, and answers of introspection and authorization with."""
    binds_to_certificates: bool = True
    """Whether we learn of clients' certificates at all."""


def read_metadata(given: Mapping[str, Any], policy: RegistrationPolicy) -> ClientMetadata:
    """Return the client that this metadata describes, with what we put in the place of what we do not offer.

    Grant types, response types, scopes and types of details that are not offered are left out; an authentication
    method that is not offered is replaced by one for which the client needs nothing but our answer (RFC 7591, section
    2). Everything else that cannot be taken is refused.

    Raises:
        Refused: invalid_redirect_uri, invalid_client_metadata or invalid_software_statement.
    """
    read = read_members(given)
    _check_statement(given.get("software_statement"))
    method = _auth_method(read["token_endpoint_auth_method"], policy)
    grants = _grant_types(read["grant_types"], method, policy)
    chosen: dict[str, Any] = {
        **read,
        "token_endpoint_auth_method": method,
        "grant_types": grants,
        "response_types": _response_types(given.get("response_types"), read["response_types"], grants),
        "scope": _offered(read["scope"], policy.scopes),
        "authorization_details_types": _offered(read["authorization_details_types"], policy.details_types),
    }
    metadata = ClientMetadata(**chosen)
    _check_redirects(metadata, policy)
    _check_logout_redirects(metadata, policy)
    _check_server_algorithms(metadata, policy)
    _check_binding(metadata, policy)
    check_consistency(metadata)
    return metadata


def _auth_method(asked: str | None, policy: RegistrationPolicy) -> str:
    """Return the method asked for, or one for which our answer is all that the client needs.

    A client that wants to sign or to show a certificate is not given a secret instead: it would not use it.
    """
    if asked in policy.auth_methods:
        return asked
    if asked in KEY_METHODS:
        raise _invalid("token_endpoint_auth_method is not supported")
    for method in ("client_secret_basic", "client_secret_post", NO_PROOF):
        if method in policy.auth_methods:
            return method
    raise _invalid("token_endpoint_auth_method is not supported")


def _grant_types(asked: tuple[str, ...], method: str, policy: RegistrationPolicy) -> tuple[str, ...]:
    """Return those of the grant types that we offer to such a client."""
    offered = policy.grant_types - PROVEN_GRANT_TYPES if method == NO_PROOF else policy.grant_types
    grants = tuple(grant for grant in asked or (AUTHORIZATION_CODE,) if grant in offered)
    if not set(grants) - {REFRESH_TOKEN}:
        raise _invalid("grant_types names none that such a client may use")
    return grants


def _response_types(said: Any, asked: tuple[str, ...], grants: tuple[str, ...]) -> tuple[str, ...]:
    """RFC 7591, section 2.1: `code` and `authorization_code` go together; no other response type is offered."""
    if AUTHORIZATION_CODE not in grants:
        return ()
    if said is not None and "code" not in asked:
        raise _invalid("response_types must have code where grant_types has authorization_code")
    return ("code",)


def _offered(asked: tuple[str, ...], offered: frozenset[str] | None) -> tuple[str, ...]:
    return asked if offered is None else tuple(each for each in asked if each in offered)


def _check_statement(statement: Any) -> None:
    """RFC 7591, section 3.1.1: we trust nobody's statements and ignore them; what is none is told."""
    if statement is None:
        return
    if not isinstance(statement, str) or statement.count(".") != 2:
        raise Refused(ErrorCode.INVALID_SOFTWARE_STATEMENT, "software_statement is not a JWT")


def _check_redirects(metadata: ClientMetadata, policy: RegistrationPolicy) -> None:
    """RFC 7591, section 2: whoever is answered by a redirect registers where to."""
    if AUTHORIZATION_CODE in metadata.grant_types and not metadata.redirect_uris:
        raise Refused(ErrorCode.INVALID_REDIRECT_URI, "redirect_uris is missing")
    check_redirect_uris(
        metadata.redirect_uris,
        custom_schemes=policy.custom_schemes,
        is_web=metadata.application_type == "web",
    )


def _check_logout_redirects(metadata: ClientMetadata, policy: RegistrationPolicy) -> None:
    """RP-Initiated Logout 1.0, section 3.1; judged like redirect URIs, for the browser is sent there too."""
    for uri in metadata.post_logout_redirect_uris:
        fault = fault_of(uri, custom_schemes=policy.custom_schemes)
        if fault:
            raise _invalid(f"post_logout_redirect_uris: one {fault}")


def _check_server_algorithms(metadata: ClientMetadata, policy: RegistrationPolicy) -> None:
    for name in ("id_token", "userinfo", "introspection", "authorization"):
        ours = getattr(metadata, f"{name}_signed_response_alg")
        if ours is not None and ours not in policy.server_algorithms:
            raise _invalid(f"{name}_signed_response_alg names an algorithm that is not supported")


def _check_binding(metadata: ClientMetadata, policy: RegistrationPolicy) -> None:
    """RFC 8705, section 3.4: such a client gets no token without a certificate, which nobody would tell us of."""
    if metadata.tls_client_certificate_bound_access_tokens and not policy.binds_to_certificates:
        raise _invalid("tls_client_certificate_bound_access_tokens is not supported")


def _invalid(why: str) -> Refused:
    return Refused(ErrorCode.INVALID_CLIENT_METADATA, why)
