"""Words of signing keys."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class KeyPurpose(StrEnum):
    """What a key signs; one key serves one purpose (ASVS 5.0 V9.2.4)."""

    ACCESS_TOKEN = "access_token"
    ID_TOKEN = "id_token"
    ID_TOKEN_ES256 = "id_token_es256"
    """For clients that ask for it, and where RSA with PKCS #1 is not good enough (FAPI 2.0, section 5.4.1)."""


class SigningAlgorithm(StrEnum):
    """JWS algorithms that Portico signs with (RFC 7518, section 3.1)."""

    ES256 = "ES256"
    RS256 = "RS256"


ALGORITHMS = {
    KeyPurpose.ACCESS_TOKEN: SigningAlgorithm.ES256,
    KeyPurpose.ID_TOKEN: SigningAlgorithm.RS256,
    KeyPurpose.ID_TOKEN_ES256: SigningAlgorithm.ES256,
}
"""Which algorithm serves which purpose: ES256 is fast, RS256 is what every OpenID client understands."""


class TokenFault(StrEnum):
    """Why a signed token is refused; for logs and for `TokenRejected`, in the order of the checks."""

    MALFORMED = "malformed"
    TYPE = "wrong_type"
    UNKNOWN_KEY = "unknown_key"
    ALGORITHM = "wrong_algorithm"
    SIGNATURE = "bad_signature"
    CLAIMS = "bad_claims"
    ISSUER = "wrong_issuer"
    AUDIENCE = "wrong_audience"
    EXPIRED = "expired"
    NOT_YET = "not_yet_valid"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """A signing key as operators see it; nothing of it is secret."""

    kid: str
    purpose: KeyPurpose
    algorithm: SigningAlgorithm
    created_at: datetime
    signs_from: datetime
    signs_until: datetime | None
    verifies_until: datetime | None
