"""Verifying a compact JWS with a key that the caller trusts, or with the key that it carries."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portico.oauth.protocol.jose.algorithms import ASYMMETRIC, HMAC, HMAC_BYTES, MODELS, spelled_alike
from portico.oauth.protocol.jose.faults import Fault, Rejected
from portico.oauth.protocol.jose.keys import MAX_NAME_LENGTH, PublicJwk, parse_jwk
from portico.oauth.protocol.jose.reading import MAX_TOKEN_BYTES, Unverified, open_token, read_object

MAX_TRIALS = 4
"""How many keys are tried for a token that names none; each costs a signature check."""
NEVER_IN_HEADER = frozenset({"crit", "b64", "zip", "jku", "x5u"})
KEY_IN_HEADER = frozenset({"jwk", "x5c"})
UNTYPED = ""
"""In `Policy.types`: the token may have no `typ`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a token may look like; `types` are in lower case, without "application/"."""

    algorithms: frozenset[str]
    types: frozenset[str]
    max_bytes: int = MAX_TOKEN_BYTES

    def allows(self, algorithm: str) -> bool:
        """Tell whether `algorithm` is on the list, under either of its names."""
        return any(spelled_alike(algorithm, one) for one in self.algorithms)


@dataclass(frozen=True, slots=True)
class SharedSecrets:
    """Secrets that we share with the signer; several while one is being replaced. `repr` shows none."""

    values: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"SharedSecrets({len(self.values)})"


@dataclass(frozen=True, slots=True)
class Verified:
    """A token with a good signature; its claims are what the signer says, not yet what the caller demands."""

    algorithm: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]


def verify(token: str, keys: Sequence[PublicJwk] | SharedSecrets, policy: Policy) -> Verified:
    """Verify with the keys of the signer that the caller expects.

    A `kid` names exactly one key; without it the fitting keys are tried, at most four. Secrets verify HS*
    algorithms only and public keys never do, so that neither is taken for the other (RFC 8725, section 3.1).

    Raises:
        Rejected: with the first fault.
    """
    opened = open_token(token, policy.max_bytes)
    algorithm = _check_header(opened.header, policy, NEVER_IN_HEADER | KEY_IN_HEADER)
    if isinstance(keys, SharedSecrets):
        _check_mac(opened, algorithm, keys)
    else:
        _check_signature(opened, algorithm, keys)
    return Verified(algorithm, opened.header, read_object(opened.payload))


def verify_embedded(token: str, policy: Policy) -> tuple[Verified, PublicJwk]:
    """Verify with the public key in the token's own `jwk` header: proof that the signer holds it, and no more.

    Raises:
        Rejected: with the first fault.
    """
    opened = open_token(token, policy.max_bytes)
    algorithm = _check_header(opened.header, policy, NEVER_IN_HEADER | {"x5c"})
    key = parse_jwk(opened.header.get("jwk"))
    if not key.fits(algorithm):
        raise Rejected(Fault.ALGORITHM, f"{algorithm} does not fit the key")
    if not _is_signed_by(key, algorithm, opened):
        raise Rejected(Fault.SIGNATURE, "the key in the header did not sign this")
    return Verified(algorithm, opened.header, read_object(opened.payload)), key


def _check_header(header: Mapping[str, Any], policy: Policy, forbidden: frozenset[str]) -> str:
    """Return the algorithm of a header that is acceptable; what we do not know is ignored (RFC 7515, section 4)."""
    if forbidden & header.keys():
        raise Rejected(Fault.HEADER, f"header with {', '.join(sorted(forbidden & header.keys()))}")
    kid = header.get("kid", "-")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_NAME_LENGTH:
        raise Rejected(Fault.HEADER, "header with a strange kid")
    if _plain_type(header.get("typ", UNTYPED)) not in policy.types:
        raise Rejected(Fault.TYPE, f"typ {header.get('typ')!r:.80}")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or not policy.allows(algorithm):
        raise Rejected(Fault.ALGORITHM, f"alg {algorithm!r:.80}")
    return algorithm


def _plain_type(typ: object) -> str | None:
    """Return a media type as it is compared: lower case, without "application/" (RFC 7515, section 4.1.9)."""
    return typ.lower().removeprefix("application/") if isinstance(typ, str) else None


def _check_mac(opened: Unverified, algorithm: str, secrets: SharedSecrets) -> None:
    if algorithm not in HMAC:
        raise Rejected(Fault.ALGORITHM, f"{algorithm} takes no shared secret")
    long_enough = [secret for secret in secrets.values if len(secret) >= HMAC_BYTES[algorithm]]
    macs = [hmac.digest(secret, opened.signing_input, HMAC[algorithm]) for secret in long_enough]
    if not any(hmac.compare_digest(mac, opened.signature) for mac in macs):
        raise Rejected(Fault.SIGNATURE, "no shared secret gives this code")


def _check_signature(opened: Unverified, algorithm: str, keys: Sequence[PublicJwk]) -> None:
    if algorithm not in ASYMMETRIC:
        raise Rejected(Fault.ALGORITHM, f"{algorithm} takes no public key")
    kid = opened.header.get("kid")
    fitting = [key for key in keys if key.fits(algorithm) and (kid is None or key.is_called(kid))]
    if not fitting or (kid is not None and len(fitting) > 1):
        raise Rejected(Fault.UNKNOWN_KEY, f"{len(fitting)} keys for {algorithm} and kid {kid!r:.80}")
    if not any(_is_signed_by(key, algorithm, opened) for key in fitting[:MAX_TRIALS]):
        # Without a name it may as well be a key that we have not fetched yet.
        fault = Fault.UNKNOWN_KEY if kid is None else Fault.SIGNATURE
        raise Rejected(fault, "no key gives this signature")


def _is_signed_by(key: PublicJwk, algorithm: str, opened: Unverified) -> bool:
    return MODELS[algorithm].verify(opened.signing_input, opened.signature, key.native)
