"""JSON Web Tokens, strictly: the one place that touches the JOSE library.

`sign` writes and `verify` reads one profile of JWT (RFC 7519, RFC 8725): compact serialisation, a header of exactly
`alg`, `kid` and `typ`, a key that comes from our own ring by `kid`, the algorithm that belongs to that key, one
audience. Everything else is refused before or after the signature check, in the order of `TokenFault`:

    at most 8 kB, three base64url segments           before anything is parsed
    header exactly {alg, kid, typ}, all texts        jku, x5u, jwk, x5c, crit, b64, zip have no place to stand
    typ as the caller expects                        RFC 8725, section 3.11
    kid in the ring, for the caller's purpose        ASVS 5.0 V9.1.3
    alg on the list and that of the key              ASVS 5.0 V9.1.2
    signature                                        before any claim is read
    claims: types, required ones, iss, aud, times    the library's decode() checks none of them
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry
from pydantic_core import to_json

from portico.core.crypto import b64decode, b64encode
from portico.keys.errors import TokenRejected
from portico.keys.types import SigningAlgorithm, TokenFault

MAX_TOKEN_BYTES = 8192
RSA_BITS = 3072
HEADER_NAMES = frozenset({"alg", "kid", "typ"})
ALWAYS_REQUIRED = frozenset({"iss", "aud", "exp", "iat"})
LATEST_TIME = 253_402_300_799
"""The last second of the year 9999; a later time is a mistake or a trick."""

_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_REGISTRIES = {algorithm: JWSRegistry(algorithms=[algorithm.value]) for algorithm in SigningAlgorithm}


@dataclass(frozen=True, slots=True)
class JoseKey:
    """A key pair, or its public half, ready for use: parsed once, not at each token."""

    kid: str
    algorithm: SigningAlgorithm
    public_jwk: Mapping[str, str]
    native: ECKey | RSAKey

    def __repr__(self) -> str:
        """Show which key it is and nothing of it."""
        return f"JoseKey({self.kid}, {self.algorithm})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a token must say to be good here; times are in seconds since 1970.

    Without an `audience` whoever asks looks at it himself; with `takes_expired` it may be over. `exp_leeway` and `skew`
    (for `nbf` and `iat`) are seconds between 0 and 60.
    """

    typ: str
    issuer: str
    audience: str | None
    required: frozenset[str]
    now: float
    exp_leeway: float = 0
    skew: float = 60
    takes_expired: bool = False


def generate_key(algorithm: SigningAlgorithm, *, rsa_bits: int = RSA_BITS) -> JoseKey:
    """Return a fresh key pair; RSA takes a good part of a second, so call it in a thread."""
    if algorithm is SigningAlgorithm.ES256:
        return _jose_key(ECKey.generate_key("P-256"), algorithm)
    return _jose_key(RSAKey.generate_key(rsa_bits), algorithm)


def private_bytes(key: JoseKey) -> bytes:
    """Return the private key as PKCS #8 DER, to be sealed."""
    return key.native.as_der(private=True)


def load_private_key(algorithm: SigningAlgorithm, der: bytes) -> JoseKey:
    """Read what `private_bytes` wrote."""
    native = ECKey.import_key(der) if algorithm is SigningAlgorithm.ES256 else RSAKey.import_key(der)
    return _jose_key(native, algorithm)


def load_public_key(algorithm: SigningAlgorithm, jwk: Mapping[str, Any]) -> JoseKey:
    """Read a public JWK of our own."""
    values = dict(jwk)
    native = ECKey.import_key(values) if algorithm is SigningAlgorithm.ES256 else RSAKey.import_key(values)
    return _jose_key(native, algorithm)


def sign(key: JoseKey, claims: Mapping[str, Any], *, typ: str) -> str:
    """Return a signed compact JWT with `claims` (RFC 7515, section 7.1).

    Written past the library, whose way to the same 64 bytes takes as long as the signature itself.
    """
    payload = b64encode(to_json(claims, inf_nan_mode="null"))
    signed = f"{_header_segment(key.algorithm, key.kid, typ)}.{payload}"
    return f"{signed}.{b64encode(_SIGNERS[key.algorithm](key.native.private_key, signed.encode()))}"


@lru_cache(maxsize=64)
def _header_segment(algorithm: SigningAlgorithm, kid: str, typ: str) -> str:
    return b64encode(to_json({"alg": algorithm.value, "kid": kid, "typ": typ}))


def _sign_by_ecdsa(key: Any, message: bytes) -> bytes:
    """Return both numbers of the signature, 32 bytes each (RFC 7518, section 3.4)."""
    r, s = decode_dss_signature(key.sign(message, _ECDSA))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _sign_by_rsa(key: Any, message: bytes) -> bytes:
    """RFC 7518, section 3.3."""
    signature: bytes = key.sign(message, _PKCS1, _SHA256)
    return signature


_SHA256, _PKCS1 = SHA256(), PKCS1v15()
_ECDSA = ECDSA(_SHA256)
_SIGNERS: Mapping[SigningAlgorithm, Callable[[Any, bytes], bytes]] = {
    SigningAlgorithm.ES256: _sign_by_ecdsa,
    SigningAlgorithm.RS256: _sign_by_rsa,
}


def verify(token: str, find_key: Callable[[str], JoseKey | None], expected: Expected) -> dict[str, Any]:
    """Return the claims of a good token.

    `find_key` gives the key of a `kid` if it may verify for the caller's purpose.

    Raises:
        TokenRejected: with the first fault in the order of the checks (401).
    """
    if len(token) > MAX_TOKEN_BYTES or not _SHAPE.fullmatch(token):
        raise TokenRejected(TokenFault.MALFORMED)
    header_segment, payload_segment, _ = token.split(".")
    header = _header(header_segment)
    if header["typ"] != expected.typ:
        raise TokenRejected(TokenFault.TYPE)
    key = find_key(header["kid"])
    if key is None:
        raise TokenRejected(TokenFault.UNKNOWN_KEY)
    if header["alg"] != key.algorithm.value:
        raise TokenRejected(TokenFault.ALGORITHM)
    _check_signature(token, key)
    claims = _json_object(payload_segment)
    for check, fault in CLAIM_CHECKS:
        if not check(claims, expected):
            raise TokenRejected(fault)
    return claims


def _header(segment: str) -> dict[str, str]:
    header = _json_object(segment)
    if header.keys() != HEADER_NAMES or not all(type(value) is str for value in header.values()):
        raise TokenRejected(TokenFault.MALFORMED)
    return header


def _check_signature(token: str, key: JoseKey) -> None:
    try:
        jws.deserialize_compact(token, key.native, registry=_REGISTRIES[key.algorithm])
    except (JoseError, ValueError):
        raise TokenRejected(TokenFault.SIGNATURE) from None


def _json_object(segment: str) -> dict[str, Any]:
    """Read a segment as a JSON object without repeated names and without NaN (RFC 8725, section 2.4)."""
    try:
        value = json.loads(b64decode(segment), object_pairs_hook=_no_repetition, parse_constant=_no_constant)
    except (ValueError, RecursionError):  # Python 3.12 gives up at 1,500 brackets; 6,000 fit
        raise TokenRejected(TokenFault.MALFORMED) from None
    if not isinstance(value, dict):
        raise TokenRejected(TokenFault.MALFORMED)
    return value


def _no_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("repeated name")
    return values


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _is_time(value: object) -> bool:
    return type(value) is int and 0 < value <= LATEST_TIME


def _is_text(value: object) -> bool:
    return type(value) is str and value != ""


CLAIM_TYPES: Mapping[str, Callable[[object], bool]] = {
    "iss": _is_text,
    "sub": _is_text,
    "aud": _is_text,
    "client_id": _is_text,
    "jti": _is_text,
    "sid": _is_text,
    "exp": _is_time,
    "nbf": _is_time,
    "iat": _is_time,
    "auth_time": _is_time,
}
"""What a claim must be wherever it stands; whole seconds only, so that no two readers disagree."""


def _has_good_claims(claims: Mapping[str, Any], expected: Expected) -> bool:
    if not claims.keys() >= ALWAYS_REQUIRED or not claims.keys() >= expected.required:
        return False
    return all(is_good(claims[name]) for name, is_good in CLAIM_TYPES.items() if name in claims)


def _is_from_issuer(claims: Mapping[str, Any], expected: Expected) -> bool:
    return cast("bool", claims.get("iss") == expected.issuer)


def _is_for_audience(claims: Mapping[str, Any], expected: Expected) -> bool:
    return expected.audience is None or cast("bool", claims.get("aud") == expected.audience)


def _is_not_over(claims: Mapping[str, Any], expected: Expected) -> bool:
    return expected.takes_expired or cast("bool", expected.now < claims["exp"] + expected.exp_leeway)


def _has_begun(claims: Mapping[str, Any], expected: Expected) -> bool:
    latest = max(claims.get("nbf", 0), claims.get("iat", 0))
    return cast("bool", latest <= expected.now + expected.skew)


CLAIM_CHECKS: tuple[tuple[Callable[[Mapping[str, Any], Expected], bool], TokenFault], ...] = (
    (_has_good_claims, TokenFault.CLAIMS),
    (_is_from_issuer, TokenFault.ISSUER),
    (_is_for_audience, TokenFault.AUDIENCE),
    (_is_not_over, TokenFault.EXPIRED),
    (_has_begun, TokenFault.NOT_YET),
)


def _jose_key(native: ECKey | RSAKey, algorithm: SigningAlgorithm) -> JoseKey:
    kid = native.thumbprint()
    published = native.as_dict(kid=kid, use="sig", alg=algorithm.value)
    public = {name: str(value) for name, value in published.items()}
    return JoseKey(kid=kid, algorithm=algorithm, public_jwk=public, native=native)
