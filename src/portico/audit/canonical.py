"""The one way to write an entry as bytes, and what is computed over them.

The canonical form is a JSON array, ASCII, without spaces, of the fields in the order of `FIELDS`: ids as 32
hexadecimal digits, times as `YYYY-MM-DD HH:MM:SS.ffffff` in UTC, documents as the very text that is stored. So it says
the same whatever database it was read from, and SQLite's own texts are compared byte by byte. `docs/guides/audit.md`
describes it for whoever checks an export with other tools.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from portico.audit.types import OpenGap
from portico.core.crypto import RootSecret

FORMAT: Final = 1
KEY_VERSION: Final = 1
UNSIGNED_FORMAT: Final = 0
"""Entries from before there was a chain: no MAC; the chain covers them."""
SALT_BYTES: Final = 16

FIELDS: Final = (
    "format",
    "key_version",
    "id",
    "organization_id",
    "at",
    "action",
    "outcome",
    "actor_id",
    "on_behalf_of_id",
    "subject_type",
    "subject_id",
    "session_id",
    "credential_id",
    "request_id",
    "reason",
    "details",
    "changes",
    "commitment",
)
HEAD_FIELDS: Final = ("stream", "position", "hash", "checkpoints", "signed_position", "due_at")
STATE_FIELDS: Final = ("id", "watermark", "links", "unsigned_until", "gaps")
ENTRY_KEY = "audit.entry"
_HEAD_KEY = "audit.head"
_STATE_KEY = "audit.sequencer"
_GENESIS = b"portico audit stream "

encode_row = json.JSONEncoder(separators=(",", ":")).encode
"""Writes the canonical array; text that is not ASCII as escapes."""
encode_document = json.JSONEncoder(separators=(",", ":"), sort_keys=True, default=str).encode
"""Writes a document: keys in order, so that the same content is the same text."""


def time_text(at: datetime) -> str:
    """Return a time in the canonical form."""
    return at.astimezone(UTC).isoformat(" ", "microseconds")[:26]


def plain(value: Any) -> Any:
    """Return a value as the canonical form has it; texts and numbers are so already."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"no canonical form for {type(value).__name__}")


def entry_bytes(values: Sequence[Any]) -> bytes:
    """Return the canonical form of plain values in the order of `FIELDS`."""
    return encode_row(values).encode()


def entry_mac(secret: RootSecret, canonical: bytes) -> bytes:
    """Return the MAC that an entry carries."""
    return secret.mac(ENTRY_KEY, canonical)


def commitment_of(salt: bytes, fields: str) -> bytes:
    """Return what an entry says of its personal fields: nothing, unless one has them and the salt."""
    return sha256(salt + fields.encode("utf-8", "surrogateescape")).digest()


def leaf_of(canonical: bytes, seq: int, mac: bytes | None) -> bytes:
    """Return the digest of an entry as it is chained, with its number and MAC."""
    return sha256(b"%b\n%d\n%b" % (canonical, seq, (mac or b"").hex().encode())).digest()


def genesis(stream: UUID) -> bytes:
    """Return what the first link of a stream is chained to."""
    return sha256(_GENESIS + stream.bytes).digest()


def link_hash(previous: bytes, position: int, link: int, leaf: bytes) -> bytes:
    """Return the hash of a link: position and number as 8 bytes each, big-endian."""
    return sha256(b"%b%b%b%b" % (previous, position.to_bytes(8), link.to_bytes(8), leaf)).digest()


def head_mac(secret: RootSecret, values: Sequence[Any]) -> bytes:
    """Return the MAC of a stream's end: the values of `HEAD_FIELDS`, as they are or as the database has them."""
    return secret.mac(_HEAD_KEY, encode_row([plain(value) for value in values]).encode())


def state_mac(secret: RootSecret, values: Sequence[Any]) -> bytes:
    """Return the MAC of the sequencer's state: the values of `STATE_FIELDS`."""
    return secret.mac(_STATE_KEY, encode_row(list(values)).encode())


def gaps_text(gaps: Iterable[OpenGap]) -> str:
    """Write the gaps that may yet be filled."""
    return encode_row([[gap.ranges, gap.waits_for] for gap in gaps])


def read_gaps(text: str) -> tuple[OpenGap, ...]:
    """Read them again.

    Raises:
        ValueError: the text is not ours.
    """
    return tuple(
        OpenGap(tuple((first, last) for first, last in ranges), tuple(waits_for))
        for ranges, waits_for in json.loads(text)
    )


def document_of(text: str | None) -> Mapping[str, Any] | None:
    """Read a stored document."""
    if text is None:
        return None
    document: Mapping[str, Any] = json.loads(text)
    return document
