"""Signatures of messages in the Standard Webhooks format, and their check.

`webhook-signature` holds one or more `v1,<base64>`: HMAC-SHA-256 of `id.timestamp.body` under the secret, which is
written `whsec_` and base64. Source: Standard Webhooks specification, "Webhook signature schema".
"""

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from portico.core.crypto import same
from portico.core.entropy import Entropy
from portico.webhooks.errors import SignatureInvalid

SECRET_PREFIX = "whsec_"
SECRET_BYTES = 32
TOLERANCE = timedelta(minutes=5)
"""How old or how far ahead a message may be for a receiver."""


def new_secret(entropy: Entropy) -> bytes:
    """Return a fresh secret."""
    return entropy.bytes(SECRET_BYTES)


def written(secret: bytes) -> str:
    """Return the secret as receivers are given it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def read(text: str) -> bytes:
    """Return the secret that `text` writes.

    Raises:
        ValueError: it is none.
    """
    try:
        return base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a secret is written whsec_ and base64") from None


def headers_of(secrets: Iterable[bytes], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers of a message, with a signature under each of `secrets`."""
    timestamp = str(int(at.timestamp()))
    signatures = (_signature(secret, message_id, timestamp, body) for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def verify(secret: bytes, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Check a message as a receiver does; names of headers in lower case.

    Raises:
        SignatureInvalid: a header is missing, the time is off, or no signature is under this secret (400).
    """
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    message_id, timestamp, given = (headers.get(name, "") for name in names)
    if not (message_id and timestamp.isdecimal() and timestamp.isascii() and len(timestamp) < 12):
        raise SignatureInvalid
    if abs(now - datetime.fromtimestamp(int(timestamp), UTC)) > TOLERANCE:
        raise SignatureInvalid("The message is too old, or from the future")
    expected = _signature(secret, message_id, timestamp, body).encode()
    if not any(same(expected, one.encode()) for one in given.split(" ")):
        raise SignatureInvalid


def _signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()
