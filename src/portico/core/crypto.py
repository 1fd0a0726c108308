"""Cryptography from one root secret: derived keys, sealed values, message authentication.

Every key is derived by HKDF-SHA-256 for one named purpose, so that no key serves two ends (RFC 5869; NIST
SP 800-108). Sealed values are AES-256-GCM with a random 96-bit nonce and the caller's context as additional
data, so that a value copied into another row does not open (ASVS 5.0 V11.3.3).
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from functools import cached_property, lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from portico.core.entropy import Entropy

KEY_BYTES = 32
NONCE_BYTES = 12
SEAL_VERSION = b"\x01"


class SealBroken(ValueError):
    """A sealed value was changed, moved to another place, or sealed under another secret."""


class RootSecret:
    """The deployment's root secret, and those that are accepted besides; `repr` shows nothing of them.

    What is made is made under the secret itself. What is checked or opened may also be under an accepted one: the
    next secret before every process has it, or the last one for as long as something of it is about.
    """

    def __init__(self, material: bytes, accepted: Sequence[bytes] = ()) -> None:
        """Take at least 32 bytes of secret material, and the material of the secrets accepted besides.

        Raises:
            ValueError: the material is shorter.
        """
        if len(material) < KEY_BYTES:
            raise ValueError("the root secret needs at least 32 bytes")
        self._material = material
        self._derive = lru_cache(maxsize=64)(self._derive_now)
        self.accepted: tuple[RootSecret, ...] = tuple(map(RootSecret, accepted))

    @cached_property
    def id(self) -> str:
        """Return a name of this secret that says nothing of it (16 hexadecimal digits)."""
        return self.mac("root.id", b"").hex()[:16]

    def __repr__(self) -> str:
        """Show that there is one, not what it is."""
        return "RootSecret(…)"

    def key(self, purpose: str) -> bytes:
        """Return the 32-byte key for `purpose`; the same purpose gives the same key."""
        return self._derive(purpose)

    def _derive_now(self, purpose: str) -> bytes:
        info = b"portico:" + purpose.encode()
        return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._material)

    def mac(self, purpose: str, message: bytes) -> bytes:
        """Return HMAC-SHA-256 of `message` under the key of `purpose` (32 bytes)."""
        return hmac.digest(self.key(purpose), message, "sha256")

    def macs(self, purpose: str, message: bytes) -> list[bytes]:
        """Return the MACs that `message` may carry: under this secret, then under the accepted ones."""
        return [secret.mac(purpose, message) for secret in (self, *self.accepted)]

    def is_mac(self, purpose: str, message: bytes, mac: bytes, *, length: int = KEY_BYTES) -> bool:
        """Tell whether `mac` is the MAC of `message`, cut to `length` bytes, under one of the secrets.

        Compares in constant time, and with all of them, so that the time does not tell which.
        """
        return sum(same(each[:length], mac) for each in self.macs(purpose, message)) > 0

    def seal(self, purpose: str, plain: bytes, *, context: bytes, entropy: Entropy) -> bytes:
        """Encrypt and authenticate `plain`; it opens only with the same purpose and context."""
        nonce = entropy.bytes(NONCE_BYTES)
        return SEAL_VERSION + nonce + AESGCM(self.key(purpose)).encrypt(nonce, plain, context)

    def open(self, purpose: str, sealed: bytes, *, context: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            SealBroken: changed, truncated, moved or foreign; always the same error.
        """
        nonce, box = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        if sealed[:1] != SEAL_VERSION or len(nonce) != NONCE_BYTES:
            raise SealBroken("not a sealed value")
        for secret in (self, *self.accepted):
            try:
                return AESGCM(secret.key(purpose)).decrypt(nonce, box, context)
            except InvalidTag:
                continue
        raise SealBroken("not a sealed value")

    def opens(self, purpose: str, sealed: bytes, *, context: bytes) -> bool:
        """Tell whether a value is sealed under this secret itself, not under an accepted one."""
        try:
            self._alone.open(purpose, sealed, context=context)
        except SealBroken:
            return False
        return True

    @cached_property
    def _alone(self) -> "RootSecret":
        return RootSecret(self._material)


class LastingSecret(RootSecret):
    """The secret of names: MACs under which rows are looked up, and ids that others keep.

    They must be the same before and after the root secret is changed, so it is made once, at random, and kept in the
    database, sealed under the root secret. `Runtime.lasting`.
    """


def digest(value: str | bytes) -> bytes:
    """Return SHA-256 of a high-entropy secret (256 bits need no slow hash); 32 bytes."""
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).digest()


def same(left: bytes, right: bytes) -> bool:
    """Compare secrets in constant time (ASVS 5.0 V11.2.4)."""
    return hmac.compare_digest(left, right)


def b64encode(value: bytes) -> str:
    """Return base64url without padding (RFC 7515, appendix C)."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def b64decode(value: str) -> bytes:
    """Read base64url without padding, strictly: one text for one value.

    Raises:
        ValueError: other characters, padding, or trailing bits that are not zero.
    """
    decoded = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    if b64encode(decoded) != value:
        raise ValueError("not canonical base64url")
    return decoded
