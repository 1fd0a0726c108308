"""What a client says of itself, member by member.

RFC 7591, section 2; OpenID Connect Registration 1.0, section 2; RP-Initiated, Back-Channel and Front-Channel Logout
1.0; RFC 8705, section 2; RFC 9101, section 10.5; RFC 9126, section 6; RFC 9396, section 10; RFC 9449, section 5.2; RFC
9701, section 6; JARM, section 3. What a client may have of it is said in `rfc7591_registration`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc7591_values import (
    BadValue,
    read_flag,
    read_key_set,
    read_name,
    read_seconds,
    read_secure_uri,
    read_secure_uris,
    read_text,
    read_texts,
    read_uri_texts,
    read_web_uri,
)
from portico.oauth.protocol.scopes import MAX_SCOPE, read_scope, scope_text

AUTHORIZATION_CODE = "authorization_code"
NO_PROOF = "none"
SECRET_METHODS = ("client_secret_basic", "client_secret_post", "client_secret_jwt")
CLIENT_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
SECRET_ALGORITHMS = frozenset({"HS256", "HS384", "HS512"})
TLS_SUBJECTS = (
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
)
ALWAYS_SAID = frozenset({"grant_types", "response_types", "token_endpoint_auth_method"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientMetadata:
    """A client as it is registered; every member has the name that the specifications give it.

    None, false and empty stand for "not said". `scope` is a tuple of names here, and a text in the document.
    """

    redirect_uris: tuple[str, ...] = ()
    response_types: tuple[str, ...] = ("code",)
    grant_types: tuple[str, ...] = (AUTHORIZATION_CODE,)
    token_endpoint_auth_method: str = "client_secret_basic"
    token_endpoint_auth_signing_alg: str | None = None
    application_type: str | None = None
    scope: tuple[str, ...] = ()
    client_name: str | None = None
    client_uri: str | None = None
    logo_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    contacts: tuple[str, ...] = ()
    jwks: Mapping[str, Any] | None = None
    jwks_uri: str | None = None
    software_id: str | None = None
    software_version: str | None = None
    subject_type: str | None = None
    sector_identifier_uri: str | None = None
    id_token_signed_response_alg: str | None = None
    userinfo_signed_response_alg: str | None = None
    introspection_signed_response_alg: str | None = None
    authorization_signed_response_alg: str | None = None
    request_object_signing_alg: str | None = None
    request_uris: tuple[str, ...] = ()
    require_signed_request_object: bool = False
    require_pushed_authorization_requests: bool = False
    default_max_age: int | None = None
    require_auth_time: bool = False
    default_acr_values: tuple[str, ...] = ()
    initiate_login_uri: str | None = None
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool = False
    frontchannel_logout_uri: str | None = None
    frontchannel_logout_session_required: bool = False
    dpop_bound_access_tokens: bool = False
    tls_client_auth_subject_dn: str | None = None
    tls_client_auth_san_dns: str | None = None
    tls_client_auth_san_uri: str | None = None
    tls_client_auth_san_ip: str | None = None
    tls_client_auth_san_email: str | None = None
    tls_client_certificate_bound_access_tokens: bool = False
    authorization_details_types: tuple[str, ...] = ()

    @property
    def is_public(self) -> bool:
        """Tell whether it cannot prove who it is (OAuth 2.1, section 2.1)."""
        return self.token_endpoint_auth_method == NO_PROOF

    @property
    def has_secret(self) -> bool:
        """Tell whether it must be given a secret."""
        return self.token_endpoint_auth_method in SECRET_METHODS


def read_members(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of every member by its name, as `ClientMetadata` has them; unknown members are ignored.

    Raises:
        Refused: invalid_redirect_uri or invalid_client_metadata; the first value that cannot be taken.
    """
    return {name: _read(name, reader, given.get(name)) for name, reader in READERS.items()}


def as_document(metadata: ClientMetadata) -> dict[str, Any]:
    """Return the metadata as JSON has it: for the answer (RFC 7591, section 3.2.1), and to be kept."""
    document: dict[str, Any] = {}
    for each in fields(metadata):
        value = getattr(metadata, each.name)
        if (value is None or value is False or value == ()) and each.name not in ALWAYS_SAID:
            continue
        document[each.name] = list(value) if isinstance(value, tuple) else value
    if metadata.scope:
        document["scope"] = scope_text(metadata.scope)
    return document


def metadata_of(document: Mapping[str, Any]) -> ClientMetadata:
    """Return what `as_document` wrote; members that this version does not know are left out."""
    known = {each.name for each in fields(ClientMetadata)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in document.items()
        if name in known
    }
    if isinstance(values.get("scope"), str):
        values["scope"] = read_scope(values["scope"])
    return ClientMetadata(**values)


def _read(name: str, reader: Callable[[Any], Any], value: Any) -> Any:
    try:
        return reader(value)
    except BadValue as bad:
        code = (
            ErrorCode.INVALID_REDIRECT_URI if name == "redirect_uris" else ErrorCode.INVALID_CLIENT_METADATA
        )
        raise Refused(code, f"{name} {bad}") from None


def _scope(value: Any) -> tuple[str, ...]:
    text = read_text(value, most=MAX_SCOPE)
    try:
        return read_scope(text or "")
    except Refused as refused:
        raise BadValue(refused.description.removeprefix("scope ")) from None


def _application_type(value: Any) -> str | None:
    """`web` or `native` (OpenID Connect Registration 1.0, section 2); anything else says as little as nothing."""
    text = read_text(value)
    return text if text in {"web", "native"} else None


def _subject_type(value: Any) -> str | None:
    text = read_text(value)
    if text not in {None, "public", "pairwise"}:
        raise BadValue("must be public or pairwise")
    return text


def _client_algorithm(value: Any) -> str | None:
    """What a client signs with; never `none` (RFC 8725, section 3.2)."""
    text = read_text(value)
    if text is not None and text not in CLIENT_ALGORITHMS | SECRET_ALGORITHMS:
        raise BadValue("names an algorithm that is not supported")
    return text


READERS: Mapping[str, Callable[[Any], Any]] = {
    "redirect_uris": read_uri_texts,
    "response_types": read_texts,
    "grant_types": read_texts,
    "token_endpoint_auth_method": read_text,
    "token_endpoint_auth_signing_alg": _client_algorithm,
    "application_type": _application_type,
    "scope": _scope,
    "client_name": read_name,
    "client_uri": read_web_uri,
    "logo_uri": read_web_uri,
    "policy_uri": read_web_uri,
    "tos_uri": read_web_uri,
    "contacts": read_texts,
    "jwks": read_key_set,
    "jwks_uri": read_secure_uri,
    "software_id": read_text,
    "software_version": read_text,
    "subject_type": _subject_type,
    "sector_identifier_uri": read_secure_uri,
    "id_token_signed_response_alg": read_text,
    "userinfo_signed_response_alg": read_text,
    "introspection_signed_response_alg": read_text,
    "authorization_signed_response_alg": read_text,
    "request_object_signing_alg": _client_algorithm,
    "request_uris": read_secure_uris,
    "require_signed_request_object": read_flag,
    "require_pushed_authorization_requests": read_flag,
    "default_max_age": read_seconds,
    "require_auth_time": read_flag,
    "default_acr_values": read_texts,
    "initiate_login_uri": read_secure_uri,
    "post_logout_redirect_uris": read_uri_texts,
    "backchannel_logout_uri": read_secure_uri,
    "backchannel_logout_session_required": read_flag,
    "frontchannel_logout_uri": read_secure_uri,
    "frontchannel_logout_session_required": read_flag,
    "dpop_bound_access_tokens": read_flag,
    **dict.fromkeys(TLS_SUBJECTS, read_text),
    "tls_client_certificate_bound_access_tokens": read_flag,
    "authorization_details_types": read_texts,
}
"""Every member, and how its value is read."""
