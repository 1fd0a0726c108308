"""What happens to sessions."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from portico.core.ids import SessionId, UserId
from portico.messaging import Event
from portico.sessions.types import SessionEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCreated(Event):
    """A person has signed in on a device."""

    name: ClassVar[str] = "session.created"

    session_id: SessionId
    user_id: UserId
    is_new_device: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsRevoked(Event):
    """These sessions of a person were ended before their time, all for the same reason."""

    name: ClassVar[str] = "session.revoked"

    user_id: UserId
    session_ids: tuple[SessionId, ...]
    reason: SessionEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpersonationStarted(Event):
    """Somebody acts in a person's name from now on, until `until` at the latest."""

    name: ClassVar[str] = "impersonation.started"

    session_id: SessionId
    user_id: UserId
    actor_id: UserId
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpersonationEnded(Event):
    """Nobody acts in a person's name by this session any more."""

    name: ClassVar[str] = "impersonation.ended"

    session_id: SessionId
    user_id: UserId
    actor_id: UserId
    reason: SessionEnd
