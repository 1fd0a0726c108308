"""Reading a compact JWS to the letter: one text for one token, and nothing believed yet."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portico.core.crypto import b64decode
from portico.oauth.protocol import json_objects
from portico.oauth.protocol.jose.faults import Fault, Rejected

MAX_TOKEN_BYTES = 16_384
MAX_DEPTH = 16
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token in its parts; the payload is not even parsed, so that nobody reads it by accident."""

    header: Mapping[str, Any]
    payload: str
    signing_input: bytes
    signature: bytes


def open_token(token: str, max_bytes: int = MAX_TOKEN_BYTES) -> Unverified:
    """Take a compact JWS apart (RFC 7515, section 5.2, steps 1 to 6).

    A nested or encrypted token (five segments), the JSON serialisations and an empty signature are malformed here.

    Raises:
        Rejected: MALFORMED.
    """
    if len(token) > max_bytes or not _SHAPE.fullmatch(token):
        raise Rejected(Fault.MALFORMED, "no compact JWS of the permitted size")
    signing_input, _, signature = token.rpartition(".")
    header, _, payload = signing_input.partition(".")
    return Unverified(
        header=read_object(header),
        payload=payload,
        signing_input=signing_input.encode(),
        signature=_decode(signature),
    )


def peek_claims(token: str, max_bytes: int = MAX_TOKEN_BYTES) -> Mapping[str, Any]:
    """Return what a token claims, unverified: only to find out whose keys will verify it.

    Raises:
        Rejected: MALFORMED.
    """
    return read_object(open_token(token, max_bytes).payload)


def read_object(segment: str) -> dict[str, Any]:
    """Read a base64url segment that holds a JSON object.

    Raises:
        Rejected: MALFORMED.
    """
    value = read_json(_decode(segment))
    if not isinstance(value, dict):
        raise Rejected(Fault.MALFORMED, "no JSON object")
    return value


def read_json(text: bytes) -> Any:
    """Read JSON as two careful readers would both read it (RFC 8725, section 2.4; RFC 8259, section 8).

    UTF-8 only; no repeated names, NaN, infinities, lone surrogates or NUL characters, on which parsers and
    databases disagree; at most 16 brackets deep.

    Raises:
        Rejected: MALFORMED.
    """
    try:
        value = json_objects.read_json(text, most=len(text), deepest=MAX_DEPTH)
        _check_escapes(text, value)
    except ValueError:
        raise Rejected(Fault.MALFORMED, "no strict JSON") from None
    return value


def _decode(segment: str) -> bytes:
    try:
        return b64decode(segment)
    except ValueError:
        raise Rejected(Fault.MALFORMED, "no canonical base64url") from None


def _check_escapes(text: bytes, value: Any) -> None:
    """Refuse what only an escape can bring in; the common token has none and pays nothing."""
    if b"\\u" not in text:
        return
    plain = json.dumps(value, ensure_ascii=False)
    if "\\u0000" in plain or _LONE_SURROGATE.search(plain):
        raise ValueError("a character that is none")
