"""Public keys of others: JSON Web Keys (RFC 7517, RFC 7518, section 6; RFC 8037) and their sets.

A key is read strictly, so that one key has one text and one thumbprint: canonical base64url, coordinates of full
length, no leading zeros, points on the curve. In a set, a key that is of no use to us is passed over (RFC 7517,
section 5); a set that gives a private or shared key away is refused as a whole.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from portico.core.crypto import b64decode, b64encode
from portico.oauth.protocol.jose.algorithms import ASYMMETRIC, key_kind, spelled_alike
from portico.oauth.protocol.jose.faults import Fault, Rejected
from portico.oauth.protocol.jose.reading import read_json

MAX_KEYS = 32
MAX_SET_BYTES = 65_536
MAX_NAME_LENGTH = 256
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
"""Verification grows with the square; nobody needs more."""
MAX_RSA_EXPONENT = 2**32 - 1
COORDINATE_BYTES: Mapping[tuple[str, str], int] = {
    ("EC", "P-256"): 32,
    ("EC", "P-384"): 48,
    ("EC", "P-521"): 66,
    ("OKP", "Ed25519"): 32,
}
"""The curves that we take, by `kty` and `crv`."""
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
REQUIRED_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "RSA": ("e", "kty", "n"),
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
}
"""In the order in which a thumbprint takes them (RFC 7638, section 3.2; RFC 8037, section 2)."""

type Native = RSAKey | ECKey | OKPKey


@dataclass(frozen=True, slots=True)
class PublicJwk:
    """A public key that may verify signatures.

    `alg` is the one algorithm that its owner wants it used with, if he says so; `x5c` the certificates that he
    attached, in base64 DER, not looked at; `members` what makes the key, and nothing else.
    """

    kty: str
    crv: str | None
    kid: str | None
    alg: str | None
    thumbprint: str
    members: Mapping[str, str] = field(repr=False)
    native: Native = field(repr=False, compare=False)
    x5c: tuple[str, ...] = field(default=(), repr=False)

    def fits(self, algorithm: str) -> bool:
        """Tell whether this key may verify with `algorithm` (RFC 8725, section 3.1; RFC 7517, section 4.4)."""
        if algorithm not in ASYMMETRIC:
            return False
        if self.alg is not None and not spelled_alike(self.alg, algorithm):
            return False
        kind = key_kind(algorithm)
        return self.kty == kind.kty and kind.crv in (None, self.crv)

    def is_called(self, kid: str) -> bool:
        """Tell whether `kid` means this key; a key without a name goes by its thumbprint."""
        return kid == (self.kid if self.kid is not None else self.thumbprint)


def parse_jwks(source: bytes | str | Mapping[str, Any]) -> tuple[PublicJwk, ...]:
    """Return the usable public keys of a JWK Set (RFC 7517, section 5); there may be none.

    Raises:
        Rejected: KEY, for what is no set, is larger than 64 kB or 32 keys, or gives away a private or shared key;
            MALFORMED for bad JSON.
    """
    document = _read_set(source)
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise Rejected(Fault.KEY, "no JWK Set")
    if len(entries) > MAX_KEYS:
        raise Rejected(Fault.KEY, f"a JWK Set of more than {MAX_KEYS} keys")
    if any(PRIVATE_MEMBERS & entry.keys() for entry in entries):
        raise Rejected(Fault.KEY, "a JWK Set with a private or shared key")
    parsed = (_parse_or_skip(entry) for entry in entries)
    return tuple(key for key in parsed if key is not None)


def parse_jwk(value: object) -> PublicJwk:
    """Read one public key for signatures.

    Raises:
        Rejected: KEY: private, shared, of a kind we do not take, weak, meant for something else, or mis-typed.
    """
    if not isinstance(value, Mapping):
        raise Rejected(Fault.KEY, "no JWK")
    if PRIVATE_MEMBERS & value.keys():
        raise Rejected(Fault.KEY, "a private or shared key")
    _check_purpose(value)
    members = _key_members(value)
    _check_numbers(members)
    return PublicJwk(
        kty=members["kty"],
        crv=members.get("crv"),
        kid=_short_text(value, "kid"),
        alg=_short_text(value, "alg"),
        thumbprint=thumbprint(members),
        members=members,
        native=_native(members),
        x5c=_certificates(value),
    )


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Return the SHA-256 thumbprint of a key, public or private, in base64url (RFC 7638, section 3).

    Raises:
        Rejected: KEY, for a kind of key we do not take or a missing member.
    """
    members = json.dumps(_key_members(jwk), separators=(",", ":"))
    return b64encode(hashlib.sha256(members.encode()).digest())


def _read_set(source: bytes | str | Mapping[str, Any]) -> Any:
    if isinstance(source, Mapping):
        return source
    text = source.encode(errors="surrogatepass") if isinstance(source, str) else source
    if len(text) > MAX_SET_BYTES:
        raise Rejected(Fault.KEY, f"a JWK Set of more than {MAX_SET_BYTES} bytes")
    return read_json(text)


def _parse_or_skip(entry: Mapping[str, Any]) -> PublicJwk | None:
    try:
        return parse_jwk(entry)
    except Rejected:
        return None


def _check_purpose(value: Mapping[str, Any]) -> None:
    """Refuse a key that its owner means for something else (RFC 7517, sections 4.2 and 4.3)."""
    if value.get("use", "sig") != "sig":
        raise Rejected(Fault.KEY, "a key that is not for signatures")
    operations = value.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise Rejected(Fault.KEY, "a key that may not verify")


def _key_members(value: Mapping[str, Any]) -> dict[str, str]:
    kty = value.get("kty")
    names = REQUIRED_MEMBERS.get(kty) if isinstance(kty, str) else None
    if names is None:
        raise Rejected(Fault.KEY, "a kind of key that is not accepted")
    members = {name: value.get(name) for name in names}
    texts = {name: member for name, member in members.items() if isinstance(member, str)}
    if len(texts) != len(names):
        raise Rejected(Fault.KEY, "a key with missing members")
    return texts


def _check_numbers(members: Mapping[str, str]) -> None:
    try:
        numbers = {name: b64decode(members[name]) for name in ("n", "e", "x", "y") if name in members}
    except ValueError:
        raise Rejected(Fault.KEY, "a number that is no canonical base64url") from None
    if members["kty"] == "RSA":
        return _check_rsa(numbers["n"], numbers["e"])
    size = COORDINATE_BYTES.get((members["kty"], members["crv"]))
    if size is None or any(len(number) != size for number in numbers.values()):
        raise Rejected(Fault.KEY, "another curve, or a coordinate of another length")
    return None


def _check_rsa(modulus: bytes, exponent: bytes) -> None:
    """Hold RSA to sane sizes; no leading zeros (RFC 7518, sections 3.3, 6.3.1.1 and 6.3.1.2)."""
    n, e = int.from_bytes(modulus), int.from_bytes(exponent)
    is_minimal = modulus[:1] != b"\0" and exponent[:1] != b"\0"
    has_size = MIN_RSA_BITS <= n.bit_length() <= MAX_RSA_BITS
    if not is_minimal or not has_size or not n & 1 or not 3 <= e <= MAX_RSA_EXPONENT:
        raise Rejected(Fault.KEY, "an RSA key of a size that is not accepted")


def _native(members: Mapping[str, str]) -> Native:
    kinds: Mapping[str, type[Native]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    try:
        return kinds[members["kty"]].import_key(dict(members))
    except (JoseError, ValueError):  # a point that is not on its curve is a ValueError
        raise Rejected(Fault.KEY, "numbers that make no key") from None


def _short_text(value: Mapping[str, Any], name: str) -> str | None:
    text = value.get(name)
    if text is not None and (not isinstance(text, str) or not 0 < len(text) <= MAX_NAME_LENGTH):
        raise Rejected(Fault.KEY, f"a key with a strange {name}")
    return text


def _certificates(value: Mapping[str, Any]) -> tuple[str, ...]:
    chain = value.get("x5c", [])
    if not isinstance(chain, list) or not all(isinstance(one, str) for one in chain):
        raise Rejected(Fault.KEY, "a key with a strange x5c")
    return tuple(chain)
