"""What must hold between the members of a client's metadata, whoever registers it."""

from collections.abc import Callable

from portico.oauth.protocol.jose import Rejected, parse_jwks
from portico.oauth.protocol.oidc_pairwise import needs_sector_document
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc7591_members import (
    CLIENT_ALGORITHMS,
    SECRET_ALGORITHMS,
    TLS_SUBJECTS,
    ClientMetadata,
)
from portico.oauth.protocol.uris import read_http_uri


def check_consistency(metadata: ClientMetadata) -> None:
    """Refuse metadata of which one member contradicts another.

    Raises:
        Refused: invalid_client_metadata.
    """
    for check in CHECKS:
        check(metadata)


def _check_keys(metadata: ClientMetadata) -> None:
    """RFC 7591, section 2: `jwks` and `jwks_uri` exclude each other; who signs must have one of them."""
    if metadata.jwks is not None and metadata.jwks_uri is not None:
        raise _invalid("jwks and jwks_uri are both there")
    has_keys = metadata.jwks_uri is not None or _has_usable_key(metadata)
    signs = metadata.token_endpoint_auth_method in {"private_key_jwt", "self_signed_tls_client_auth"}
    if signs and not has_keys:
        raise _invalid(f"{metadata.token_endpoint_auth_method} needs jwks or jwks_uri")
    if metadata.require_signed_request_object and not has_keys:
        raise _invalid("require_signed_request_object needs jwks or jwks_uri")


def _has_usable_key(metadata: ClientMetadata) -> bool:
    """RFC 7517, section 5: keys of kinds that we do not know are passed over; weak ones count as none."""
    if metadata.jwks is None:
        return False
    try:
        return bool(parse_jwks(metadata.jwks))
    except Rejected:
        raise _invalid("jwks cannot be read") from None


def _check_certificate(metadata: ClientMetadata) -> None:
    """RFC 8705, section 2.1.2: exactly one way to tell the client's certificate."""
    if metadata.token_endpoint_auth_method != "tls_client_auth":
        return
    if sum(getattr(metadata, name) is not None for name in TLS_SUBJECTS) != 1:
        raise _invalid("tls_client_auth needs exactly one tls_client_auth_ member")


def _check_algorithms(metadata: ClientMetadata) -> None:
    """RFC 8725, section 3.1: keys have their algorithms, secrets have theirs."""
    chosen = metadata.token_endpoint_auth_signing_alg
    with_secret = metadata.token_endpoint_auth_method == "client_secret_jwt"
    if chosen is not None and chosen not in (SECRET_ALGORITHMS if with_secret else CLIENT_ALGORITHMS):
        raise _invalid("token_endpoint_auth_signing_alg does not fit token_endpoint_auth_method")
    if metadata.request_object_signing_alg in SECRET_ALGORITHMS:
        raise _invalid("request_object_signing_alg names an algorithm that is not supported")


def _check_sector(metadata: ClientMetadata) -> None:
    """OpenID Connect Core 1.0, section 8.1: redirects to several hosts need a document that says they are one."""
    if metadata.subject_type != "pairwise" or metadata.sector_identifier_uri is not None:
        return
    if needs_sector_document(metadata.redirect_uris):
        raise _invalid("sector_identifier_uri is needed: the redirect URIs have several hosts")


def _check_frontchannel(metadata: ClientMetadata) -> None:
    """Front-Channel Logout 1.0, section 2: on the origin of one of the redirect URIs."""
    if metadata.frontchannel_logout_uri is None:
        return
    logout = read_http_uri(metadata.frontchannel_logout_uri)
    origins = {parts.origin for parts in map(read_http_uri, metadata.redirect_uris) if parts is not None}
    if logout is None or logout.origin not in origins:
        raise _invalid("frontchannel_logout_uri is not on the origin of a redirect URI")


CHECKS: tuple[Callable[[ClientMetadata], None], ...] = (
    _check_keys,
    _check_certificate,
    _check_algorithms,
    _check_sector,
    _check_frontchannel,
)


def _invalid(why: str) -> Refused:
    return Refused(ErrorCode.INVALID_CLIENT_METADATA, why)
