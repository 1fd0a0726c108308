"""Words of the admin API, and the values that its services hand around."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from portico.access.types import PlatformRole
from portico.users.types import UserStatus


class PersonSort(StrEnum):
    """What the list of people may be sorted by; an index serves each."""

    CREATED_AT = "created_at"
    EMAIL = "email"


class JobSort(StrEnum):
    """What the list of jobs may be sorted by."""

    CREATED_AT = "created_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How a queue is doing; `oldest_due_seconds` is how long the first of those that wait is overdue."""

    name: str
    queued: int
    running: int
    dead: int
    oldest_due_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """How the work after the answer is doing."""

    queues: list[Queue]
    unknown_jobs: dict[str, int]
    events_waiting: int
    events_faulty: int
    events_unpublished: int
    oldest_event_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person as administrators see him."""

    id: UUID
    email: str
    email_verified: bool
    username: str | None
    full_name: str | None
    locale: str
    timezone: str
    status: UserStatus
    roles: tuple[PlatformRole, ...]
    created_at: datetime
    updated_at: datetime
    last_seen_at: datetime | None
    deleted_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The deployment in figures, as of `at`."""

    at: datetime
    people: int
    active: int
    verified: int
    new_24h: int
    new_7d: int
    new_30d: int
    live_sessions: int
    failed_sign_ins_24h: int
