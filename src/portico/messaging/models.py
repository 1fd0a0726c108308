"""Tables of the messaging floor: the outbox, the jobs, the schedules."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Index, Integer, SmallInteger, String, Text, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from portico.db.base import NamedTable
from portico.db.columns import EnumText, JsonDocument, UtcDateTime
from portico.messaging.types import JobStatus

NAME_LENGTH = 120
ERROR_LENGTH = 500


def _partial(name: str, *columns: Any, where: str, unique: bool = False) -> Index:
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


class OutboxRecord(NamedTable):
    """An event that was committed. `dispatched_at` is set when everybody's jobs were written, `publish_at` is when it
    is next due at the broker, NULL once it is there (or where there is none).
    """

    table = "outbox"
    __table_args__ = (
        _partial("ix_portico_outbox_waiting", "id", where="dispatched_at IS NULL"),
        _partial("ix_portico_outbox_unpublished", "publish_at", where="publish_at IS NOT NULL"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    version: Mapped[int] = mapped_column(SmallInteger)
    payload: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    dispatched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    fault: Mapped[str | None] = mapped_column(String(ERROR_LENGTH))
    publish_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    publish_attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    principal_id: Mapped[UUID | None] = mapped_column(Uuid)
    actor_id: Mapped[UUID | None] = mapped_column(Uuid)


class JobRecord(NamedTable):
    """A job. `claim` names the present run; whoever writes how a run ended does so on condition of it, so that a
    process that slept past its lease changes nothing.
    """

    table = "jobs"
    __table_args__ = (
        _partial("ix_portico_jobs_due", "queue", "priority", "run_at", where="status = 'queued'"),
        _partial("ix_portico_jobs_running", "claimed_until", where="status = 'running'"),
        _partial(
            "uq_portico_jobs_unique_key",
            "unique_key",
            where="status = 'queued' AND unique_key IS NOT NULL",
            unique=True,
        ),
        _partial(
            "ix_portico_jobs_ended", "status", "finished_at", where="status IN ('done', 'dead', 'cancelled')"
        ),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    queue: Mapped[str] = mapped_column(String(40))
    arguments: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
    unique_key: Mapped[str | None] = mapped_column(String(200))
    priority: Mapped[int] = mapped_column(SmallInteger, default=0)
    status: Mapped[JobStatus] = mapped_column(EnumText(JobStatus), default=JobStatus.QUEUED)
    run_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    claim: Mapped[UUID | None] = mapped_column(Uuid)
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    worker: Mapped[str | None] = mapped_column(String(100))
    announced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_requested: Mapped[bool] = mapped_column(Boolean, default=False)
    progress: Mapped[dict[str, Any] | None] = mapped_column(JsonDocument)
    last_error: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(String(128))
    principal_id: Mapped[UUID | None] = mapped_column(Uuid)
    """In whose name it was asked for; `actor_id` is who did so, where that was somebody else."""
    actor_id: Mapped[UUID | None] = mapped_column(Uuid)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ScheduleRecord(NamedTable):
    """When a schedule is next due; moved on by whoever makes the tick, in the transaction that enqueues its job."""

    table = "schedules"

    name: Mapped[str] = mapped_column(String(NAME_LENGTH), primary_key=True)
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
