"""Tokens that others signed: client assertions, request objects, DPoP proofs, assertions of identity providers.

What Portico itself signs is read by `portico.keys.jose`, which knows one profile. Here the signer chooses, within
what the caller allows, and every choice is checked (RFC 8725):

    size, three segments, canonical base64url, JSON without repeated names    before anything is believed
    header: no crit, b64, zip, jku, x5u; no jwk, x5c unless the key is        section 3.10
        asked for from there
    typ as the caller expects                                                 section 3.11
    alg on the caller's list, and one that fits the key                       sections 3.1, 3.2
    key by kid, from the set that the caller gives                            section 3.8
    signature                                                                 before any claim is read

A token that fails raises `Rejected` with its `Fault`; the modules of the RFCs turn that into their error code.
"""

from portico.oauth.protocol.jose.algorithms import ASYMMETRIC, HMAC, STRONG, spelled_alike
from portico.oauth.protocol.jose.faults import Fault, Rejected, refusal
from portico.oauth.protocol.jose.keys import PublicJwk, parse_jwk, parse_jwks, thumbprint
from portico.oauth.protocol.jose.reading import (
    MAX_TOKEN_BYTES,
    Unverified,
    open_token,
    peek_claims,
    read_json,
)
from portico.oauth.protocol.jose.signing import sign, sign_with_secret
from portico.oauth.protocol.jose.times import TimeRules, Times, check_times, is_time
from portico.oauth.protocol.jose.verification import (
    Policy,
    SharedSecrets,
    Verified,
    verify,
    verify_embedded,
)

__all__ = [
    "ASYMMETRIC",
    "HMAC",
    "MAX_TOKEN_BYTES",
    "STRONG",
    "Fault",
    "Policy",
    "PublicJwk",
    "Rejected",
    "SharedSecrets",
    "TimeRules",
    "Times",
    "Unverified",
    "Verified",
    "check_times",
    "is_time",
    "open_token",
    "parse_jwk",
    "parse_jwks",
    "peek_claims",
    "read_json",
    "refusal",
    "sign",
    "sign_with_secret",
    "spelled_alike",
    "thumbprint",
    "verify",
    "verify_embedded",
]
