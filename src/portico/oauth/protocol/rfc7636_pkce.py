"""Proof Key for Code Exchange (RFC 7636), S256 only, with the rules against downgrading.

Whoever redeems a code proves that he began the flow: the authorization request carries a challenge, the token
request the verifier that it was made from. `plain` protects nobody whose request can be read and is not offered
(RFC 7636, section 7.2; RFC 9700, section 2.1.1).
"""

import hashlib
import re

from portico.core.crypto import b64decode, b64encode, same
from portico.oauth.protocol.refusals import ErrorCode, Refused

METHODS = ("S256",)
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def read_challenge(challenge: str | None, method: str | None, *, is_required: bool) -> str | None:
    """Return the challenge of an authorization request, or None where there is none and none is required.

    A missing method means `plain` (RFC 7636, section 4.3) and is refused as such. An S256 challenge is exactly the
    base64url of 32 bytes (section 4.2); another text could never be answered.

    Raises:
        Refused: `invalid_request` (RFC 7636, section 4.4.1).
    """
    if challenge is None and method is None and not is_required:
        return None
    if challenge is None:
        raise Refused(ErrorCode.INVALID_REQUEST, "code_challenge is required: PKCE with S256")
    if method not in METHODS:
        raise Refused(ErrorCode.INVALID_REQUEST, "code_challenge_method must be S256")
    if not _is_challenge(challenge):
        raise Refused(ErrorCode.INVALID_REQUEST, "code_challenge is not the base64url of a SHA-256 hash")
    return challenge


def check_verifier(verifier: str | None, challenge: str | None) -> None:
    """Check the verifier of a token request against the challenge that its code was issued for.

    A verifier for a code without a challenge is refused: someone took the challenge out of the authorization
    request (RFC 9700, section 4.8.2).

    Raises:
        Refused: `invalid_grant` (RFC 7636, section 4.6).
    """
    if challenge is None and verifier is None:
        return
    if challenge is None:
        raise Refused(ErrorCode.INVALID_GRANT, "code_verifier for a code that was issued without a challenge")
    if verifier is None:
        raise Refused(ErrorCode.INVALID_GRANT, "code_verifier is required")
    if not is_verifier(verifier):
        raise Refused(ErrorCode.INVALID_GRANT, "code_verifier must be 43 to 128 unreserved characters")
    if not same(make_challenge(verifier).encode(), challenge.encode()):
        raise Refused(ErrorCode.INVALID_GRANT, "code_verifier does not match the code_challenge")


def is_verifier(text: str) -> bool:
    """Tell whether a text can be a verifier: 43 to 128 unreserved characters (RFC 7636, section 4.1)."""
    return _VERIFIER.fullmatch(text) is not None


def make_challenge(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636, section 4.2)."""
    return b64encode(hashlib.sha256(verifier.encode("ascii")).digest())


def _is_challenge(text: str) -> bool:
    if not _CHALLENGE.fullmatch(text):
        return False
    try:
        b64decode(text)
    except ValueError:
        return False
    return True
