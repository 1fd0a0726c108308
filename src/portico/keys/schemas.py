"""The JWK Set as others read it."""

from typing import Literal

from pydantic import Field

from portico.http.schemas import ResponseModel


class PublicKey(ResponseModel):
    """A public key (RFC 7517, section 4); `crv`, `x`, `y` for EC keys, `n`, `e` for RSA keys."""

    kty: Literal["EC", "RSA"]
    kid: str = Field(max_length=64)
    use: Literal["sig"]
    alg: Literal["ES256", "RS256"]
    crv: Literal["P-256"] | None = None
    x: str | None = Field(None, max_length=43)
    y: str | None = Field(None, max_length=43)
    n: str | None = Field(None, max_length=1024)
    e: str | None = Field(None, max_length=8)


class KeySet(ResponseModel):
    """The keys that verify what this server signed (RFC 7517, section 5)."""

    keys: list[PublicKey] = Field(max_length=100)
