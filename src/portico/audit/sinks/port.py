"""What a sink is, and how an entry is told to one."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from portico.audit.canonical import time_text
from portico.audit.types import ChainedEntry, stream_name
from portico.runtime import Runtime


class SinkFailed(Exception):
    """A sink did not take a batch; what it says is shown to administrators and holds no secret."""


class Sink(Protocol):
    """Takes entries in order."""

    async def send(self, entries: Sequence[ChainedEntry]) -> None:
        """Hand over a batch; returns when all of it has been taken.

        Raises:
            SinkFailed: it was not; the same batch comes again.
        """
        ...


type MakeSink = Callable[[Runtime], Sink | None]


def told(chained: ChainedEntry, *, with_personal: bool) -> dict[str, Any]:
    """Return an entry as a JSON-ready object: ids as text, nothing that is null."""
    entry = chained.entry
    facts: dict[str, Any] = {
        "id": str(entry.id),
        "at": rfc3339(chained),
        "action": entry.action,
        "outcome": entry.outcome.value,
        "stream": stream_name(chained.stream),
        "position": chained.position,
        "link": chained.link,
        "hash": chained.hash.hex(),
        "details": entry.details or None,
        "changes": entry.changes,
        "personal": entry.personal if with_personal else None,
        "reason": entry.reason,
        "request_id": entry.request_id,
        "subject_type": entry.subject_type,
    }
    for name in (
        "organization_id",
        "actor_id",
        "on_behalf_of_id",
        "subject_id",
        "session_id",
        "credential_id",
    ):
        value = getattr(entry, name)
        facts[name] = str(value) if value else None
    return {name: value for name, value in facts.items() if value is not None}


def rfc3339(chained: ChainedEntry) -> str:
    """Return the time of an entry (RFC 3339), in UTC."""
    return time_text(chained.entry.at).replace(" ", "T") + "Z"


def json_line(chained: ChainedEntry, *, with_personal: bool) -> bytes:
    """Return an entry as one line of ASCII: no control character, line separator or mark of direction survives."""
    return json.dumps(told(chained, with_personal=with_personal), separators=(",", ":")).encode()
