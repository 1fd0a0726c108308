"""The signature algorithms that may be allowed, and the kind of key that each takes (RFC 7518, section 3.1)."""

from collections.abc import Mapping
from dataclasses import dataclass

from joserfc.jws import JWSRegistry


@dataclass(frozen=True, slots=True)
class KeyKind:
    """The `kty` of a key, and its `crv` where the algorithm fixes one."""

    kty: str
    crv: str | None = None


_KINDS: Mapping[str, KeyKind] = {
    "RS256": KeyKind("RSA"),
    "RS384": KeyKind("RSA"),
    "RS512": KeyKind("RSA"),
    "PS256": KeyKind("RSA"),
    "PS384": KeyKind("RSA"),
    "PS512": KeyKind("RSA"),
    "ES256": KeyKind("EC", "P-256"),
    "ES384": KeyKind("EC", "P-384"),
    "ES512": KeyKind("EC", "P-521"),
    "Ed25519": KeyKind("OKP", "Ed25519"),
}
_OTHER_NAMES: Mapping[str, str] = {"EdDSA": "Ed25519"}
"""RFC 9864 gave the curves of EdDSA names of their own; clients write either."""

ASYMMETRIC = frozenset({*_KINDS, *_OTHER_NAMES})
STRONG = frozenset({"PS256", "ES256", "EdDSA", "Ed25519"})
"""FAPI 2.0 Security Profile, section 5.4.1."""
HMAC: Mapping[str, str] = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
HMAC_BYTES: Mapping[str, int] = {"HS256": 32, "HS384": 48, "HS512": 64}
"""A secret is at least as long as the hash (RFC 7518, section 3.2)."""

_REGISTRY = JWSRegistry(algorithms=list(_KINDS))
MODELS = {name: _REGISTRY.get_alg(_OTHER_NAMES.get(name, name)) for name in sorted(ASYMMETRIC)}
"""What signs and verifies; the registry is asked by name, never by what a token says about itself."""


def key_kind(algorithm: str) -> KeyKind:
    """Return the kind of key that an algorithm of `ASYMMETRIC` takes."""
    return _KINDS[_OTHER_NAMES.get(algorithm, algorithm)]


def spelled_alike(one: str, other: str) -> bool:
    """Tell whether two names mean the same algorithm: `EdDSA` with the one curve that we take is `Ed25519`."""
    return _OTHER_NAMES.get(one, one) == _OTHER_NAMES.get(other, other)
