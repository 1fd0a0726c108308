"""What the catch-all of development was sent, as files in the data directory, so that every process shows the same."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from portico.core.ids import new_id

KEPT = 200
"""How many are kept; the oldest go."""


@dataclass(frozen=True, slots=True)
class CapturedWebhook:
    """One message, as it arrived."""

    id: UUID
    at: datetime
    path: str
    headers: Mapping[str, str]
    body: str

    @property
    def event_name(self) -> str:
        """Return what the message says it is about; empty if it is none of ours."""
        try:
            return str(json.loads(self.body)["type"])
        except (ValueError, KeyError, TypeError):
            return ""


def keep(
    folder: Path, *, at: datetime, path: str, headers: Mapping[str, str], body: bytes
) -> CapturedWebhook:
    """Write a message down."""
    captured = CapturedWebhook(new_id(), at, path, dict(headers), body.decode(errors="replace"))
    folder.mkdir(parents=True, exist_ok=True)
    written = {**asdict(captured), "id": str(captured.id), "at": at.isoformat()}
    fresh = folder / f".{captured.id}"
    fresh.write_text(json.dumps(written))
    fresh.rename(folder / f"{captured.id}.json")
    for old in sorted(folder.glob("*.json"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return captured


def read_folder(folder: Path) -> Iterator[CapturedWebhook]:
    """Yield the messages, newest first."""
    for path in sorted(folder.glob("*.json"), reverse=True):
        try:
            written = json.loads(path.read_text())
        except FileNotFoundError:
            continue
        at = datetime.fromisoformat(written["at"])
        yield CapturedWebhook(UUID(written["id"]), at, written["path"], written["headers"], written["body"])
