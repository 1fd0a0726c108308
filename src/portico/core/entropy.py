"""Chance as an argument: services ask an `Entropy`, never `secrets` or `os.urandom`.

Tests seed it; production uses the operating system's generator (ASVS 5.0 V11.5.1).
"""

import base64
import os
from typing import Protocol

DIGITS = "0123456789"


class Entropy(Protocol):
    """Where random bytes come from."""

    def bytes(self, size: int) -> bytes:
        """Return `size` unpredictable bytes."""
        ...


class SystemEntropy:
    """The generator of the operating system, safe across forks."""

    def bytes(self, size: int) -> bytes:
        """Return `size` bytes of `os.urandom`."""
        return os.urandom(size)


def random_token(entropy: Entropy, size_bytes: int = 32) -> str:
    """Return a URL-safe token of `size_bytes` random bytes, without padding."""
    return base64.urlsafe_b64encode(entropy.bytes(size_bytes)).rstrip(b"=").decode()


def random_digits(entropy: Entropy, length: int) -> str:
    """Return `length` decimal digits, each equally likely (bytes above 249 are drawn again)."""
    digits: list[str] = []
    while len(digits) < length:
        digits.extend(DIGITS[byte % 10] for byte in entropy.bytes(length * 2) if byte < 250)
    return "".join(digits[:length])
