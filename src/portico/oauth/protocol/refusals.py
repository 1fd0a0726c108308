"""How a protocol function says no: an error code that the specifications register, and why.

The feature turns a `Refused` into an answer; nothing here knows about HTTP.
"""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Every error code that an endpoint of ours may answer with, under the specification that defines it."""

    # RFC 6749, sections 4.1.2.1 and 5.2
    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    INVALID_SCOPE = "invalid_scope"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    ACCESS_DENIED = "access_denied"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    # RFC 6750, section 3.1
    INVALID_TOKEN = "invalid_token"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    # RFC 7009, section 2.2.1
    UNSUPPORTED_TOKEN_TYPE = "unsupported_token_type"
    # RFC 7591, section 3.2.2
    INVALID_REDIRECT_URI = "invalid_redirect_uri"
    INVALID_CLIENT_METADATA = "invalid_client_metadata"
    INVALID_SOFTWARE_STATEMENT = "invalid_software_statement"
    # RFC 8628, section 3.5
    AUTHORIZATION_PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    EXPIRED_TOKEN = "expired_token"
    # RFC 8707, section 2; RFC 8693, section 2.2.2
    INVALID_TARGET = "invalid_target"
    # RFC 9101, section 7; OpenID Connect Core 1.0, section 3.1.2.6
    INVALID_REQUEST_URI = "invalid_request_uri"
    INVALID_REQUEST_OBJECT = "invalid_request_object"
    REQUEST_URI_NOT_SUPPORTED = "request_uri_not_supported"
    # OpenID Connect Core 1.0, section 3.1.2.6
    LOGIN_REQUIRED = "login_required"
    CONSENT_REQUIRED = "consent_required"
    REGISTRATION_NOT_SUPPORTED = "registration_not_supported"
    # OpenID Connect Core Error Code unmet_authentication_requirements 1.0
    UNMET_AUTHENTICATION_REQUIREMENTS = "unmet_authentication_requirements"
    # RFC 9396, section 5
    INVALID_AUTHORIZATION_DETAILS = "invalid_authorization_details"
    # RFC 9449, sections 5 and 8
    INVALID_DPOP_PROOF = "invalid_dpop_proof"
    USE_DPOP_NONCE = "use_dpop_nonce"


class Refused(Exception):
    """A demand of a specification is not met.

    `description` goes to the client: printable ASCII without double quote and backslash (RFC 6749, section 5.2),
    and nothing that the client did not know. `detail` goes to the log only.
    """

    def __init__(self, error: ErrorCode, description: str, detail: str = "") -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.detail = detail


class UnknownKey(Refused):
    """A signature that none of the known keys verifies.

    Where the keys come from an address (`jwks_uri`), the caller may fetch them again, once and throttled, and
    repeat the check: the signer may have changed its keys (OpenID Connect Core 1.0, section 10.1.1).
    """
