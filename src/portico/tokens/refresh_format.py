"""How a refresh token is written and read; pure, no I/O.

    prt_ <76 characters, base64url of 57 bytes>

    key version   1 byte    which derived key made the MAC
    family id    16 bytes   the row that decides
    counter       4 bytes   the generation, big-endian
    MAC          32 bytes   HMAC-SHA-256 over all of the above
    checksum      4 bytes   CRC-32 over prefix and all of the above, for secret scanners

57 bytes fill 76 characters without a spare bit, so that there is exactly one text for one token. The token is computed
from what the database and the root secret know: nothing that could be presented is stored, the same child can be
computed again, and nobody can point at a family of which he holds no token.
"""

import struct
import zlib
from dataclasses import dataclass
from uuid import UUID

from portico.core.crypto import RootSecret, b64decode, b64encode
from portico.tokens.types import FamilyId, RefreshToken

PREFIX = "prt_"
LENGTH = len(PREFIX) + 76
KEY_VERSION = 1
"""The version that new tokens carry."""
KEY_PURPOSES = {1: "tokens.refresh.v1"}
"""The derived key of each version that is still accepted."""

_FACTS = struct.Struct(">B16sI")
_MAC_BYTES = 32
_SIGNED_BYTES = _FACTS.size + _MAC_BYTES


class NotARefreshToken(ValueError):
    """The text is no refresh token of ours; nothing was asked of the database."""


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """What a genuine refresh token says: its family and its generation there."""

    family_id: FamilyId
    counter: int


def write_refresh_token(
    secret: RootSecret, family_id: UUID, counter: int, *, key_version: int = KEY_VERSION
) -> RefreshToken:
    """Return the token of one generation of a family; the same arguments give the same token."""
    facts = _FACTS.pack(key_version, family_id.bytes, counter)
    signed = facts + secret.mac(KEY_PURPOSES[key_version], facts)
    return RefreshToken(PREFIX + b64encode(signed + _checksum(signed)))


def read_refresh_token(secret: RootSecret, text: str) -> RefreshClaims:
    """Return what a token says once its MAC is proven, in constant time.

    Raises:
        NotARefreshToken: any other text; it is not told what is wrong with it.
    """
    if len(text) != LENGTH or not text.isascii() or not text.startswith(PREFIX):
        raise NotARefreshToken
    try:
        raw = b64decode(text[len(PREFIX) :])
    except ValueError:
        raise NotARefreshToken from None
    signed, check = raw[:_SIGNED_BYTES], raw[_SIGNED_BYTES:]
    key_version, family, counter = _FACTS.unpack_from(signed)
    purpose = KEY_PURPOSES.get(key_version)
    if purpose is None or check != _checksum(signed):
        raise NotARefreshToken
    if not secret.is_mac(purpose, signed[: _FACTS.size], signed[_FACTS.size :]):
        raise NotARefreshToken
    return RefreshClaims(FamilyId(UUID(bytes=family)), counter)


def _checksum(signed: bytes) -> bytes:
    return zlib.crc32(PREFIX.encode() + signed).to_bytes(4, "big")
