"""Checkpoints: a place in a stream, signed. Who has one and the public key needs no secret to check what led to it.

A checkpoint is written as one line of text, so that it survives a log, a mail or a sheet of paper:

    portico-checkpoint v1 <stream> <number> <position> <kind> <time> <hash> <signature>

The stream is `platform` or an organization's id; hash and signature are hexadecimal in groups of 32 digits, so that
the log does not take them for secrets.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from portico.audit.canonical import time_text
from portico.audit.types import PLATFORM, CheckpointKind, stream_name
from portico.core.crypto import RootSecret, b64decode, b64encode

CHECKPOINT_KEY = "audit.checkpoint"
_GROUP = 32
_LINE = re.compile(
    r"portico-checkpoint v1 (?P<stream>platform|[0-9a-f-]{36}) (?P<number>\d+) (?P<position>\d+) (?P<kind>\w+)"
    r" (?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (?P<hash>[0-9a-f.]+) (?P<signature>[0-9a-f.]+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The hash of a stream at a position; `number` counts the checkpoints of a stream from 1."""

    stream: UUID
    number: int
    position: int
    kind: CheckpointKind
    at: datetime
    hash: bytes
    signature: bytes = b""

    @property
    def statement(self) -> str:
        """Return what is signed."""
        at = time_text(self.at).replace(" ", "T") + "Z"
        return (
            f"portico-checkpoint v1 {stream_name(self.stream)} {self.number} {self.position} {self.kind.value}"
            f" {at} {_grouped(self.hash)}"
        )

    def __str__(self) -> str:
        return f"{self.statement} {_grouped(self.signature)}"


class CheckpointKey:
    """The key that signs checkpoints, derived from the root secret; every process of a deployment has the same."""

    def __init__(self, secret: RootSecret) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret.key(CHECKPOINT_KEY))

    @property
    def public(self) -> "CheckpointReader":
        """Return the half that anybody may have."""
        return CheckpointReader(self._key.public_key().public_bytes_raw())

    def sign(self, stated: Checkpoint) -> Checkpoint:
        """Return the checkpoint with its signature."""
        return replace(stated, signature=self.sign_statement(stated.statement))

    def sign_statement(self, statement: str) -> bytes:
        """Return the signature of a statement that begins with what it is."""
        return self._key.sign(statement.encode())


def public_half(seed: bytes) -> bytes:
    """Return the public key of a derived one."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


class CheckpointReader:
    """Checks signatures by public keys alone: the present one, then those of former root secrets."""

    def __init__(self, *public_keys: bytes) -> None:
        self._keys = tuple(map(Ed25519PublicKey.from_public_bytes, public_keys))

    @classmethod
    def of_text(cls, text: str) -> "CheckpointReader":
        """Read a public key, or several with spaces between them, as `str` of a reader writes them.

        Raises:
            ValueError: it is none.
        """
        return cls(*map(b64decode, text.split()))

    def __str__(self) -> str:
        return " ".join(b64encode(key.public_bytes_raw()) for key in self._keys)

    def is_good(self, checkpoint: Checkpoint) -> bool:
        """Tell whether a checkpoint was signed by the other half of one of the keys."""
        return self.is_signed(checkpoint.statement, checkpoint.signature)

    def is_signed(self, statement: str, signature: bytes) -> bool:
        """Tell whether a statement was signed by the other half of one of the keys."""
        return any(_is_signed(key, statement.encode(), signature) for key in self._keys)


def _is_signed(key: Ed25519PublicKey, statement: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, statement)
    except InvalidSignature:
        return False
    return True


def find_checkpoint(line: str) -> Checkpoint | None:
    """Return the checkpoint that stands somewhere in a line (of a log, say), or None."""
    found = _LINE.search(line)
    if found is None:
        return None
    stream = found["stream"]
    try:
        return Checkpoint(
            stream=PLATFORM if stream == "platform" else UUID(stream),
            number=int(found["number"]),
            position=int(found["position"]),
            kind=CheckpointKind(found["kind"]),
            at=datetime.strptime(found["at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC),
            hash=bytes.fromhex(found["hash"].replace(".", "")),
            signature=bytes.fromhex(found["signature"].replace(".", "")),
        )
    except ValueError:
        return None


def _grouped(value: bytes) -> str:
    digits = value.hex()
    return ".".join(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))
