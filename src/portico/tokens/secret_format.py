"""How a one-time secret and its short code are written and read; pure, no I/O.

    ptk_ <43 characters: 256 random bits, base64url> <6 characters: CRC-32 of what stands before>

The checksum lets secret scanners recognise a leaked token without asking us; it protects nothing. There is exactly one
text for one value: length, alphabet, checksum and the unused bits are all checked, so that a truncated or extended
token is no token (CVE-2026-27840).
"""

import zlib
from uuid import UUID

from portico.core.crypto import RootSecret, b64decode, b64encode, digest
from portico.core.entropy import Entropy, random_digits, random_token
from portico.tokens.types import OneTimeSecret

PREFIX = "ptk_"
SECRET_BYTES = 32
CHECKSUM_LENGTH = 6
LENGTH = len(PREFIX) + 43 + CHECKSUM_LENGTH
CODE_DIGITS = 8
"""26 bits; with five tries the chance to guess is one in twenty million (ASVS 5.0 V6.5.4, V6.6.3)."""

CODE_KEY = "tokens.code"
_GAPS = str.maketrans("", "", " -\u00a0\u2009\u202f")


class NotASecret(ValueError):
    """The text is no one-time secret of ours."""


def new_secret(entropy: Entropy) -> OneTimeSecret:
    """Return a fresh secret of 256 random bits."""
    body = PREFIX + random_token(entropy, SECRET_BYTES)
    return OneTimeSecret(body + checksum(body))


def secret_hash(text: str) -> bytes:
    """Return the SHA-256 under which the secret is stored; 32 bytes.

    Raises:
        NotASecret: not in the one canonical form.
    """
    if len(text) != LENGTH or not text.isascii() or not text.startswith(PREFIX):
        raise NotASecret
    body, check = text[:-CHECKSUM_LENGTH], text[-CHECKSUM_LENGTH:]
    try:
        b64decode(body[len(PREFIX) :])
    except ValueError:
        raise NotASecret from None
    if check != checksum(body):
        raise NotASecret
    return digest(text)


def checksum(body: str) -> str:
    """Return the CRC-32 of `body` as six characters."""
    return b64encode(zlib.crc32(body.encode()).to_bytes(4, "big"))


def new_code(entropy: Entropy) -> str:
    """Return eight random decimal digits."""
    return random_digits(entropy, CODE_DIGITS)


def plain_code(text: str) -> str | None:
    """Return the digits of a code as a person types it (`1234 5678`), or None if it cannot be one."""
    digits = text.translate(_GAPS) if len(text) <= CODE_DIGITS * 2 else ""
    return digits if len(digits) == CODE_DIGITS and digits.isascii() and digits.isdigit() else None


def code_hash(secret: RootSecret, token_id: UUID, code: str) -> bytes:
    """Return the MAC under which a code is stored: bound to its token, useless without the root secret; 32 bytes."""
    return secret.mac(CODE_KEY, token_id.bytes + code.encode())
