"""The FAPI 2.0 Security Profile as a table: what it demands of a client, of its requests, and of those for tokens.

A client with the profile switched on meets every row or is refused with the row's error. What Portico demands of
everybody has no row here: exact redirect URIs, `iss` in responses, codes that are used once and live 60 seconds,
client assertions with our issuer as their one audience, clocks that are 10 seconds ahead. How requests, assertions and
proofs are signed is judged where each is verified: for such clients by `jose.STRONG`.
Source: FAPI 2.0 Security Profile (Final), sections 5.3.2 and 5.4.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from portico.oauth.protocol.jose import STRONG
from portico.oauth.protocol.redirect_uris import is_loopback
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc7591_members import ClientMetadata

AUTH_METHODS = frozenset({"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationFacts:
    """An authorization request, pushed or not, as far as the profile looks at it."""

    is_pushed: bool
    response_type: str | None
    redirect_uri: str | None
    code_challenge_method: str | None
    is_answer_signed: bool = False
    wants_signed_answers: bool = False
    """The client registered what its answers are signed with (FAPI 2.0 Message Signing)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """A token request as far as the profile looks at it."""

    auth_method: str
    is_bound: bool
    """It came with a DPoP proof, or over a connection with a client certificate."""


@dataclass(frozen=True, slots=True)
class Check[T]:
    """One demand: `holds` tells whether it is met; `section` is of the profile."""

    name: str
    section: str
    error: ErrorCode
    description: str
    holds: Callable[[T], bool]


def enforce[T](checks: Iterable[Check[T]], subject: T) -> None:
    """Check one table.

    Raises:
        Refused: with the error of the first demand that is not met.
    """
    for check in checks:
        if not check.holds(subject):
            detail = f"FAPI 2.0 Security Profile, section {check.section}: {check.name}"
            raise Refused(check.error, check.description, detail)


def unmet[T](checks: Iterable[Check[T]], subject: T) -> list[str]:
    """Return the names of all demands that are not met, to show them together."""
    return [check.name for check in checks if not check.holds(subject)]


def _is_confidential(client: ClientMetadata) -> bool:
    return client.token_endpoint_auth_method in AUTH_METHODS


def _signs_strongly(client: ClientMetadata) -> bool:
    return _is_strong(client.token_endpoint_auth_signing_alg) and _is_strong(
        client.request_object_signing_alg
    )


def _gets_strong_id_tokens(client: ClientMetadata) -> bool:
    """Where none is named RS256 would be used, which only matters to who gets ID tokens."""
    return client.id_token_signed_response_alg in STRONG or "authorization_code" not in client.grant_types


def _gets_strong_responses(client: ClientMetadata) -> bool:
    return _is_strong(client.authorization_signed_response_alg)


def _binds_tokens(client: ClientMetadata) -> bool:
    return client.dpop_bound_access_tokens or client.tls_client_certificate_bound_access_tokens


def _takes_codes_only(client: ClientMetadata) -> bool:
    return set(client.response_types) <= {"code"}


def _redirects_safely(client: ClientMetadata) -> bool:
    """Require https, or a loopback address or private scheme of a native app (section 5.3.2.2)."""
    return all(is_loopback(uri) for uri in client.redirect_uris if uri.lower().startswith("http:"))


CLIENT_CHECKS: tuple[Check[ClientMetadata], ...] = (
    Check(
        "confidential client",
        "5.3.2.1",
        ErrorCode.INVALID_CLIENT_METADATA,
        "token_endpoint_auth_method must be private_key_jwt or one of mutual TLS",
        _is_confidential,
    ),
    Check(
        "strong signatures of the client",
        "5.4.1",
        ErrorCode.INVALID_CLIENT_METADATA,
        "Signing algorithms must be PS256, ES256 or EdDSA",
        _signs_strongly,
    ),
    Check(
        "strong signatures of ID tokens",
        "5.4.1",
        ErrorCode.INVALID_CLIENT_METADATA,
        "id_token_signed_response_alg must be PS256, ES256 or EdDSA",
        _gets_strong_id_tokens,
    ),
    Check(
        "strong signatures of authorization responses",
        "5.4.1",
        ErrorCode.INVALID_CLIENT_METADATA,
        "authorization_signed_response_alg must be PS256, ES256 or EdDSA",
        _gets_strong_responses,
    ),
    Check(
        "sender-constrained access tokens",
        "5.3.2.1",
        ErrorCode.INVALID_CLIENT_METADATA,
        "Access tokens must be bound by DPoP or by mutual TLS",
        _binds_tokens,
    ),
    Check(
        "code flow only",
        "5.3.2.2",
        ErrorCode.INVALID_CLIENT_METADATA,
        "response_types must be code alone",
        _takes_codes_only,
    ),
    Check(
        "no plain http redirects",
        "5.3.2.2",
        ErrorCode.INVALID_REDIRECT_URI,
        "redirect_uris must use https, but for loopback addresses",
        _redirects_safely,
    ),
)


def _is_strong(algorithm: str | None) -> bool:
    return algorithm is None or algorithm in STRONG


AUTHORIZATION_CHECKS: tuple[Check[AuthorizationFacts], ...] = (
    Check(
        "pushed request",
        "5.3.2.2",
        ErrorCode.INVALID_REQUEST,
        "The authorization request must be pushed",
        lambda request: request.is_pushed,
    ),
    Check(
        "response type code",
        "5.3.2.2",
        ErrorCode.UNSUPPORTED_RESPONSE_TYPE,
        "response_type must be code",
        lambda request: request.response_type == "code",
    ),
    Check(
        "redirect URI in the request",
        "5.3.2.2",
        ErrorCode.INVALID_REQUEST,
        "redirect_uri is required",
        lambda request: request.redirect_uri is not None,
    ),
    Check(
        "PKCE with S256",
        "5.3.2.2",
        ErrorCode.INVALID_REQUEST,
        "code_challenge with code_challenge_method S256 is required",
        lambda request: request.code_challenge_method == "S256",
    ),
    Check(
        "signed response",
        "5.4 (Message Signing)",
        ErrorCode.INVALID_REQUEST,
        "response_mode must be jwt: the client registered authorization_signed_response_alg",
        lambda request: request.is_answer_signed or not request.wants_signed_answers,
    ),
)

TOKEN_CHECKS: tuple[Check[TokenFacts], ...] = (
    Check(
        "client authentication by key",
        "5.3.2.1",
        ErrorCode.INVALID_CLIENT,
        "The client must authenticate with private_key_jwt or mutual TLS",
        lambda request: request.auth_method in AUTH_METHODS,
    ),
    Check(
        "sender-constrained access token",
        "5.3.2.1",
        ErrorCode.INVALID_REQUEST,
        "A DPoP proof or a client certificate is required",
        lambda request: request.is_bound,
    ),
)
