"""Key pairs of clients and of attackers, as private JWKs; made once in a run."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from joserfc.jwk import ECKey, OKPKey, RSAKey

from portico.oauth.protocol.jose import PublicJwk, parse_jwk

PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi"})

type Jwk = Mapping[str, Any]


@cache
def ec_key(name: str = "client", curve: str = "P-256") -> Jwk:
    return ECKey.generate_key(curve).as_dict(private=True)


@cache
def rsa_key(name: str = "client", bits: int = 2048) -> Jwk:
    return RSAKey.generate_key(bits).as_dict(private=True)


@cache
def ed_key(name: str = "client") -> Jwk:
    return OKPKey.generate_key("Ed25519").as_dict(private=True)


def key_for(algorithm: str) -> Jwk:
    """Return a key that the algorithm takes."""
    if algorithm.startswith("ES"):
        return ec_key(curve={"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm])
    return ed_key() if algorithm in {"EdDSA", "Ed25519"} else rsa_key()


def public(private_jwk: Jwk, **members: object) -> dict[str, Any]:
    """Return the public half, with `members` added."""
    return {name: value for name, value in private_jwk.items() if name not in PRIVATE} | members


def parsed(private_jwk: Jwk, **members: object) -> PublicJwk:
    return parse_jwk(public(private_jwk, **members))
