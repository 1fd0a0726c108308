"""What a message says, and which endpoints hear it."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from portico.messaging import Event

EVERYTHING = "*"
WILDCARD = ".*"


def message_id_of(event_id: UUID) -> str:
    """Return the id that receivers see: the same at every attempt, and for every endpoint that hears the event."""
    return f"msg_{event_id.hex}"


def body_of(name: str, at: datetime, data: dict[str, Any]) -> str:
    """Return the body of a message (Standard Webhooks specification, "Payload structure")."""
    message = {"type": name, "timestamp": at.isoformat().replace("+00:00", "Z"), "data": data}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def hears(patterns: Iterable[str], name: str) -> bool:
    """Tell whether an endpoint that subscribed to `patterns` (`user.created`, `user.*`, `*`) hears events of a name."""
    return any(_covers(pattern, name) for pattern in patterns)


def _covers(pattern: str, name: str) -> bool:
    if pattern in {EVERYTHING, name}:
        return True
    return pattern.endswith(WILDCARD) and name.startswith(pattern.removesuffix("*"))


def known_events() -> list[str]:
    """Return the names that can be subscribed to, sorted."""
    return sorted({name for (name, _), kind in Event.registry.items() if not kind.is_internal})


def unknown_patterns(patterns: Sequence[str]) -> list[str]:
    """Return those that no event matches: most likely misspelt."""
    known = known_events()
    return [pattern for pattern in patterns if not any(_covers(pattern, name) for name in known)]
