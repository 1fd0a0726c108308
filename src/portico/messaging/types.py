"""Words of events and jobs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from portico.core.entropy import Entropy


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between attempts: `first`, doubled each time up to `longest`, 20 % shorter at random.

    Chance spreads what failed together, so that it does not come back together.
    """

    first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(hours=6)

    def after(self, attempts: int, entropy: Entropy) -> timedelta:
        """Return the wait after the `attempts`-th failure."""
        doubled: timedelta = self.first * 2 ** min(max(attempts, 1) - 1, 30)
        chance = int.from_bytes(entropy.bytes(2)) / 0xFFFF
        return min(doubled, self.longest) * (1 - 0.2 * chance)


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """An event as the outbox keeps it."""

    id: UUID
    name: str
    version: int
    occurred_at: datetime
    payload: dict[str, Any]
    principal_id: UUID | None = None
    actor_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this process runs under `claim` until its lease runs out."""

    id: UUID
    claim: UUID
    name: str
    queue: str
    arguments: dict[str, Any]
    attempts: int
    priority: int
    run_at: datetime
    request_id: str | None
    principal_id: UUID | None = None
    actor_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class LostJob:
    """A job whose process was not heard of within the lease."""

    id: UUID
    claim: UUID
    name: str
    queue: str
    attempts: int
    worker: str | None


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as operators see it."""

    id: UUID
    name: str
    queue: str
    status: JobStatus
    priority: int
    attempts: int
    arguments: dict[str, Any]
    unique_key: str | None
    progress: dict[str, Any] | None
    last_error: str | None
    worker: str | None
    request_id: str | None
    created_at: datetime
    run_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class QueueState:
    """How a queue is doing: jobs by status, and when the one that has been due the longest was due."""

    queue: str
    counts: dict[JobStatus, int]
    oldest_due: datetime | None


@dataclass(frozen=True, slots=True)
class OutboxState:
    """Events that wait for the fan-out, for the broker, or for a release that knows them."""

    waiting: int
    oldest: datetime | None
    faulty: int
    unpublished: int
    fault: str | None
    """Why one of the faulty ones could not be fanned out."""
