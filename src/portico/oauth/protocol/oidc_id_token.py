"""What an ID token says (OpenID Connect Core 1.0, sections 2 and 3.1.3.6); signing it is the key ring's business."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from portico.core.crypto import b64encode

MAX_SUBJECT = 255
_HASHES = {
    "256": hashlib.sha256,
    "384": hashlib.sha384,
    "512": hashlib.sha512,
    "EdDSA": hashlib.sha512,
    "Ed25519": hashlib.sha512,
}
"""The hash inside a signature algorithm, by the end of its name; Ed25519 uses SHA-512 (RFC 8032, section 5.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdTokenFacts:
    """Who signed in, for whom, and how; times are in seconds since 1970."""

    issuer: str
    subject: str
    client_id: str
    now: int
    lifetime: timedelta
    algorithm: str
    """What the token will be signed with: the hashes of code and access token go by it."""
    auth_time: int | None = None
    nonce: str | None = None
    acr: str | None = None
    amr: tuple[str, ...] = ()
    sid: str | None = None
    access_token: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    person: Mapping[str, Any] = field(default_factory=dict)
    """Claims about the person that were asked for; they never replace one of the token's own."""


def id_token_claims(facts: IdTokenFacts) -> dict[str, Any]:
    """Return the claims (section 2). `nonce` is repeated as it came, and absent where none came.

    `aud` is the client alone, so `azp` would say nothing and is left out.

    Raises:
        ValueError: the subject is longer than 255 ASCII characters.
    """
    if len(facts.subject) > MAX_SUBJECT or not facts.subject.isascii():
        raise ValueError("a subject is at most 255 ASCII characters")
    own = {
        "iss": facts.issuer,
        "sub": facts.subject,
        "aud": facts.client_id,
        "iat": facts.now,
        "exp": facts.now + int(facts.lifetime.total_seconds()),
        "auth_time": facts.auth_time,
        "nonce": facts.nonce,
        "acr": facts.acr,
        "amr": list(facts.amr) or None,
        "sid": facts.sid,
        "at_hash": facts.access_token and half_hash(facts.access_token, facts.algorithm),
        "c_hash": facts.code and half_hash(facts.code, facts.algorithm),
    }
    said = {name: value for name, value in own.items() if value is not None}
    return {**{name: value for name, value in facts.person.items() if name not in own}, **said}


def half_hash(token: str, algorithm: str) -> str:
    """Return `at_hash` or `c_hash`: the left half of the hash that the algorithm uses (sections 3.1.3.6, 3.3.2.11).

    Raises:
        ValueError: the algorithm's hash is not known.
    """
    chosen = next((each for end, each in _HASHES.items() if algorithm.endswith(end)), None)
    if chosen is None:
        raise ValueError(f"no hash is known for {algorithm}")
    whole = chosen(token.encode("ascii")).digest()
    return b64encode(whole[: len(whole) // 2])
