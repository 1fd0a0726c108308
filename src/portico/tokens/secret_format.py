"""How a random secret and a short code are written and read; pure, no I/O.

    ptk_ <43 characters: 256 random bits, base64url> <6 characters: CRC-32 of what stands before>

The checksum lets secret scanners recognise a leaked token without asking us; it protects nothing. There is exactly one
text for one value: length, alphabet, checksum and the unused bits are all checked, so that a truncated or extended
token is no token (CVE-2026-27840). Each kind of secret has a prefix of its own, and is none of another kind.
"""

import zlib
from dataclasses import dataclass
from uuid import UUID

from portico.core.crypto import RootSecret, b64decode, b64encode, digest
from portico.core.entropy import Entropy, random_digits, random_token
from portico.tokens.types import OneTimeSecret

PREFIX = "ptk_"
SECRET_BYTES = 32
BODY_LENGTH = 43
CHECKSUM_LENGTH = 6
LENGTH = len(PREFIX) + BODY_LENGTH + CHECKSUM_LENGTH
CODE_DIGITS = 8
"""26 bits; with five tries the chance to guess is one in twenty million (ASVS 5.0 V6.5.4, V6.6.3)."""

CODE_KEY = "tokens.code"
_GAPS = str.maketrans("", "", " -\u00a0\u2009\u202f")


class NotASecret(ValueError):
    """The text is no secret of ours, or one of another kind."""


@dataclass(frozen=True, slots=True)
class SecretFormat:
    """Secrets of one kind, told by their prefix (`ptk_`)."""

    prefix: str

    def make(self, entropy: Entropy) -> str:
        """Return a fresh secret of 256 random bits."""
        body = self.prefix + random_token(entropy, SECRET_BYTES)
        return body + checksum(body)

    def hash_of(self, text: str) -> bytes:
        """Return the SHA-256 under which a secret of this kind is stored; 32 bytes.

        Raises:
            NotASecret: not in the one canonical form.
        """
        length = len(self.prefix) + BODY_LENGTH + CHECKSUM_LENGTH
        if len(text) != length or not text.isascii() or not text.startswith(self.prefix):
            raise NotASecret
        body, check = text[:-CHECKSUM_LENGTH], text[-CHECKSUM_LENGTH:]
        try:
            b64decode(body[len(self.prefix) :])
        except ValueError:
            raise NotASecret from None
        if check != checksum(body):
            raise NotASecret
        return digest(text)


ONE_TIME = SecretFormat(PREFIX)


def new_secret(entropy: Entropy) -> OneTimeSecret:
    """Return a fresh one-time secret."""
    return OneTimeSecret(ONE_TIME.make(entropy))


def secret_hash(text: str) -> bytes:
    """Return the SHA-256 under which a one-time secret is stored; 32 bytes.

    Raises:
        NotASecret: not in the one canonical form.
    """
    return ONE_TIME.hash_of(text)


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


def is_code_hash(secret: RootSecret, token_id: UUID, code: str, hashed: bytes) -> bool:
    """Tell, in constant time, whether a code is stored as `hashed`."""
    return secret.is_mac(CODE_KEY, token_id.bytes + code.encode(), hashed)
