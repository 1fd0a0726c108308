"""Demonstrating Proof of Possession (RFC 9449): the proof that a request comes from the holder of a key.

What must be remembered is the caller's: a `Proof` names its `jti` and until when a second one with the same key and
`jti` has to be refused. Nonces need no memory: they are a code over the time of their making.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from portico.core.crypto import b64encode, same
from portico.oauth.protocol.jose import (
    STRONG,
    Policy,
    PublicJwk,
    Rejected,
    TimeRules,
    check_times,
    refusal,
    verify_embedded,
)
from portico.oauth.protocol.refusals import ErrorCode, Refused

ALGORITHMS = STRONG | {"ES384", "ES512", "RS256"}
"""The default; FAPI 2.0 narrows it to `STRONG`."""
MAX_PROOF_BYTES = 8192
MAX_JTI_LENGTH = 256
IAT_WINDOW_SECONDS = 60.0
NONCE_WINDOW_SECONDS = 150
DEFAULT_PORTS: Mapping[str, int] = {"http": 80, "https": 443}

type Mac = Callable[[bytes], bytes]
"""A message authentication code under a key of ours, at least 16 bytes long."""

_URI = re.compile(r"[\x21-\x7e]{1,4096}")
_JKT = re.compile(r"[A-Za-z0-9_-]{43}")
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_SUBJECT = "The DPoP proof"


@dataclass(frozen=True, slots=True)
class Proof:
    """A good proof: who holds which key (`jkt`, RFC 7638), and what makes it one of its kind.

    The same `jkt` and `jti` must not be accepted again until `remember_until` (seconds since 1970).
    """

    jkt: str
    jti: str
    iat: float
    nonce: str | None
    remember_until: float


def sole_proof(headers: Sequence[str]) -> str:
    """Return the value of the one `DPoP` header that a request has (RFC 9449, section 4.3, check 1).

    Raises:
        Refused: `invalid_dpop_proof` where there is none or more than one.
    """
    if len(headers) != 1:
        raise _refused("exactly one DPoP header is required", f"{len(headers)} headers")
    return headers[0]


def verify_proof(
    proof: str,
    *,
    method: str,
    uri: str,
    now: float,
    access_token: str | None = None,
    algorithms: frozenset[str] = ALGORITHMS,
) -> Proof:
    """Check a proof as RFC 9449, section 4.3, lists it; `jti`, nonce and key are left to the caller.

    `uri` is the address of the endpoint as the world knows it, from the settings, never from the request. With an
    `access_token`, as at a resource, the proof must be made for it (`ath`, check 12).

    Raises:
        Refused: `invalid_dpop_proof`.
    """
    policy = Policy(algorithms=algorithms, types=frozenset({"dpop+jwt"}), max_bytes=MAX_PROOF_BYTES)
    try:
        verified, key = verify_embedded(proof, policy)
        rules = TimeRules(now=now, required=frozenset({"iat"}), ahead=IAT_WINDOW_SECONDS)
        check_times(verified.claims, rules)
    except Rejected as rejected:
        raise refusal(ErrorCode.INVALID_DPOP_PROOF, _SUBJECT, rejected) from None
    _check_request(verified.claims, method, uri)
    _check_age(verified.claims["iat"], now)
    if access_token is not None:
        _check_token_hash(verified.claims, access_token)
    return _proof(verified.claims, key)


def check_nonce(proof: Proof, mac: Mac, now: float, *, is_required: bool) -> None:
    """Check the nonce of a proof (RFC 9449, sections 8 and 9).

    A nonce that is there must be ours and fresh even where none is required (section 4.3, check 10); the answer to
    the refusal carries a new one.

    Raises:
        Refused: `use_dpop_nonce`.
    """
    if proof.nonce is None and not is_required:
        return
    if proof.nonce is None or not is_good_nonce(proof.nonce, mac, now):
        raise Refused(
            ErrorCode.USE_DPOP_NONCE, "The DPoP proof must carry the nonce of the DPoP-Nonce header"
        )


def make_nonce(mac: Mac, now: float) -> str:
    """Return the nonce of this time window; all clients share it, and nobody can foretell it."""
    return _nonce(mac, int(now // NONCE_WINDOW_SECONDS))


def is_good_nonce(nonce: str, mac: Mac, now: float) -> bool:
    """Tell whether a nonce is of this window or the last; or of the next, made on a node whose clock is ahead."""
    window = int(now // NONCE_WINDOW_SECONDS)
    given = nonce.encode(errors="replace")
    return any(same(_nonce(mac, each).encode(), given) for each in (window, window - 1, window + 1))


def token_hash(access_token: str) -> str:
    """Return the `ath` of an access token (RFC 9449, section 4.2)."""
    return b64encode(hashlib.sha256(access_token.encode()).digest())


def read_dpop_jkt(dpop_jkt: str | None, proof: Proof | None) -> str | None:
    """Return the key to which an authorization request binds its code, if to any (RFC 9449, section 10).

    A pushed request may name it by `dpop_jkt`, by a proof, or by both, which then must agree (section 10.1).

    Raises:
        Refused: `invalid_request` for no thumbprint, `invalid_dpop_proof` for two keys.
    """
    if dpop_jkt is not None and not _JKT.fullmatch(dpop_jkt):
        raise Refused(ErrorCode.INVALID_REQUEST, "dpop_jkt is not a JWK thumbprint")
    if proof is None:
        return dpop_jkt
    if dpop_jkt not in (None, proof.jkt):
        raise _refused("dpop_jkt and the DPoP proof name different keys")
    return proof.jkt


def check_key(proof: Proof | None, bound_jkt: str | None, error: ErrorCode) -> None:
    """Check that what is bound to a key comes with a proof of that key; what is bound to none takes any or none.

    `error` is `invalid_grant` for a code or a refresh token (RFC 9449, sections 5 and 10), `invalid_token` for an
    access token (section 7.1).

    Raises:
        Refused: with `error`.
    """
    if bound_jkt is None:
        return
    if proof is None:
        raise Refused(error, "A DPoP proof is required")
    if not same(proof.jkt.encode(), bound_jkt.encode()):
        raise Refused(error, "The DPoP proof is of another key")


def normal_uri(uri: str) -> str | None:
    """Return a target URI in normal form, without query and fragment, or None for what is none of http(s).

    Source: RFC 9449, section 4.3, check 9; RFC 3986, sections 6.2.2 and 6.2.3.
    """
    if not _URI.fullmatch(uri):
        return None
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.username is not None:
        return None
    authority = f"{parts.hostname}:{DEFAULT_PORTS[parts.scheme] if port is None else port}"
    return f"{parts.scheme}://{authority}{_normal_path(parts)}"


def _refused(description: str, detail: str = "") -> Refused:
    return Refused(ErrorCode.INVALID_DPOP_PROOF, f"{_SUBJECT}: {description}", detail)


def _check_request(claims: Mapping[str, Any], method: str, uri: str) -> None:
    """Checks 8 and 9: made for this method and this address."""
    if claims.get("htm") != method:
        raise _refused("htm is not the method of this request", f"htm {claims.get('htm')!r:.80}")
    htu = claims.get("htu")
    normal = normal_uri(htu) if isinstance(htu, str) else None
    if normal is None or normal != normal_uri(uri):
        raise _refused("htu is not the address of this request", f"htu {htu!r:.200}")


def _check_age(iat: float, now: float) -> None:
    """Check 11: made just now; that it lies not ahead is checked with the other times."""
    if now - iat > IAT_WINDOW_SECONDS:
        raise _refused("iat is too long ago", f"{now - iat} seconds ago")


def _check_token_hash(claims: Mapping[str, Any], access_token: str) -> None:
    ath = claims.get("ath")
    if not isinstance(ath, str) or not same(ath.encode(), token_hash(access_token).encode()):
        raise _refused("ath is not the hash of the access token")


def _proof(claims: Mapping[str, Any], key: PublicJwk) -> Proof:
    jti, nonce = claims.get("jti"), claims.get("nonce")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI_LENGTH:
        raise _refused(f"jti must be a text of 1 to {MAX_JTI_LENGTH} characters")
    if nonce is not None and not isinstance(nonce, str):
        raise _refused("nonce must be a text")
    iat = float(claims["iat"])
    return Proof(
        jkt=key.thumbprint, jti=jti, iat=iat, nonce=nonce, remember_until=iat + IAT_WINDOW_SECONDS + 1
    )


def _nonce(mac: Mac, window: int) -> str:
    return b64encode(mac(f"dpop nonce {window}".encode())[:16])


def _normal_path(parts: SplitResult) -> str:
    path = _PERCENT.sub(_normal_octet, parts.path)
    return "/" + "/".join(_without_dots(path.split("/")[1:]))


def _normal_octet(match: re.Match[str]) -> str:
    """Write out what needs no percent sign, and the rest in upper case (RFC 3986, section 6.2.2.2)."""
    character = chr(int(match[1], 16))
    return character if _UNRESERVED.fullmatch(character) else match[0].upper()


def _without_dots(segments: Sequence[str]) -> list[str]:
    """Resolve `.` and `..` (RFC 3986, section 5.2.4)."""
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    is_folder = bool(segments) and segments[-1] in {".", ".."}
    return [*kept, ""] if is_folder else kept
