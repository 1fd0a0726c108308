"""Reading a stored checkpoint strictly: a row that would be read the same after a change counts as changed."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from portico.audit.canonical import plain, time_text
from portico.audit.checkpoints import Checkpoint
from portico.audit.types import CheckpointKind


def read_checkpoint(row: Any) -> Checkpoint | None:
    """Return a checkpoint from its raw row, or None if it is none."""
    try:
        stream = UUID(plain(row.stream))
        at = row.at if isinstance(row.at, datetime) else datetime.fromisoformat(row.at).replace(tzinfo=UTC)
        checkpoint = Checkpoint(
            stream=stream,
            number=row.number,
            position=row.position,
            kind=CheckpointKind(row.kind),
            at=at,
            hash=row.hash,
            signature=row.signature,
        )
    except (TypeError, ValueError, AttributeError):
        return None
    is_exact = stream.hex == plain(row.stream) and time_text(at) == plain(row.at)
    has_bytes = isinstance(row.hash, bytes) and isinstance(row.signature, bytes)
    has_numbers = isinstance(row.number, int) and isinstance(row.position, int)
    return checkpoint if is_exact and has_bytes and has_numbers else None
