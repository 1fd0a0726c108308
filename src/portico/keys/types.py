"""Words of signing keys, of kept ones, and of what is sealed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # commands show these words, and their help is to come at once
    from sqlalchemy.orm import InstrumentedAttribute

    from portico.runtime import Runtime


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedColumn:
    """A column of values sealed under the root secret, which `portico keys reseal` seals anew.

    A feature declares its own: `contributes={SealedColumn: [...]}`. `context` makes the context of a seal from the
    primary key of the row.
    """

    column: "InstrumentedAttribute[Any]"
    key: "InstrumentedAttribute[Any]"
    purpose: str
    context: Callable[[Any], bytes]

    @property
    def name(self) -> str:
        """Return table and column, as operators know them."""
        return f"{self.column.class_.__tablename__}.{self.column.key}"


@dataclass(frozen=True, slots=True)
class ResealStep:
    """What else a feature does when the root secret was changed; `run` returns how many rows it wrote.

    `contributes={ResealStep: [...]}`. It raises `SealBroken` where it finds what none of the secrets explains.
    """

    name: str
    run: Callable[["Runtime"], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key derived from a former root secret, to check what was made under it.

    `until` is the last number that may be under it, in the count of whoever keeps the key; None sets no limit.
    """

    root_id: str
    purpose: str
    key: bytes
    until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """What became of one column or step: how many values were sealed anew, and how many no known secret opens."""

    name: str
    count: int
    unopened: int = 0
