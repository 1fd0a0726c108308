"""Words of signing keys."""

from enum import StrEnum


class KeyPurpose(StrEnum):
    """What a key signs; one key serves one purpose (ASVS 5.0 V9.2.4)."""

    ACCESS_TOKEN = "access_token"
    ID_TOKEN = "id_token"


class SigningAlgorithm(StrEnum):
    """JWS algorithms that Portico signs with (RFC 7518, section 3.1)."""

    ES256 = "ES256"
    RS256 = "RS256"
