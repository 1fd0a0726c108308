"""SQL of the jobs.

Leases are counted by the database's clock on PostgreSQL, so that nodes whose clocks differ agree on who holds one; on
SQLite all processes share the host's clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from operator import itemgetter
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Interval,
    String,
    Table,
    Uuid,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    text,
    tuple_,
    union_all,
    update,
)

from portico.core.ids import new_id
from portico.db.columns import UtcDateTime
from portico.db.dialects import insert_into
from portico.db.repositories import Repository
from portico.db.trips import Trip, Trips
from portico.messaging.models import ERROR_LENGTH, JobRecord
from portico.messaging.types import ClaimedJob, JobStatus, JobView, LostJob, QueueState

_T = cast("Table", JobRecord.__table__)
_INSERT = insert(JobRecord)
_CLAIMED = (
    JobRecord.id,
    JobRecord.claim,
    JobRecord.name,
    JobRecord.queue,
    JobRecord.arguments,
    JobRecord.attempts,
    JobRecord.priority,
    JobRecord.run_at,
    JobRecord.request_id,
    JobRecord.principal_id,
    JobRecord.actor_id,
)
_VIEW = tuple(getattr(JobRecord, name) for name in JobView.__slots__)
ENDED = (JobStatus.DONE, JobStatus.DEAD, JobStatus.CANCELLED)


class JobRepository(Repository[JobRecord]):
    """The queue. What is written about a run is conditional on its claim."""

    @property
    def _is_postgresql(self) -> bool:
        return self.session.get_bind().dialect.name == "postgresql"

    def _lease(self, now: datetime, lease: timedelta) -> Any:
        return func.clock_timestamp() + literal(lease, Interval()) if self._is_postgresql else now + lease

    async def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add jobs. One whose unique key waits already is left out; the one that waits is asked for no later.

        That one is locked until this transaction ends: run before, it would miss what is written here.
        """
        plain = [row for row in rows if row["unique_key"] is None]
        unique = [row for row in rows if row["unique_key"] is not None]
        if plain:
            await self.session.execute(_INSERT, plain)
        if unique:
            unique.sort(
                key=itemgetter("unique_key")
            )  # in one order for all, so that no two wait for each other
            await self.session.execute(_unique_insert(self.session.get_bind().dialect.name), unique)

    async def queues_with_due(self, queues: Sequence[str], names: Sequence[str], now: datetime) -> list[str]:
        """Return those of `queues` in which a job that this release knows is due."""
        looks = [
            select(literal(queue)).where(exists().where(_is_due(now, names), JobRecord.queue == queue))
            for queue in queues
        ]
        return list(await self.session.scalars(union_all(*looks))) if looks else []

    async def claim_due(
        self, queue: str, names: Sequence[str], *, worker: str, now: datetime, lease: timedelta, limit: int
    ) -> list[ClaimedJob]:
        """Take up to `limit` due jobs, the most urgent first."""
        due = (
            select(JobRecord.id)
            .where(_is_due(now, names), JobRecord.queue == queue)
            .order_by(JobRecord.priority, JobRecord.run_at)
            .limit(limit)
            .with_for_update(skip_locked=True)  # SQLite leaves this out: its writers queue already
            .cte("due")  # PostgreSQL would look again for each row if it were a subquery
        )
        claimed = await self._claim(JobRecord.id.in_(select(due.c.id)), worker, now, lease)
        return sorted(claimed, key=lambda each: (each.priority, each.run_at))

    async def _claim(
        self, which: ColumnElement[bool], worker: str, now: datetime, lease: timedelta
    ) -> list[ClaimedJob]:
        statement = (
            update(JobRecord)
            .where(which, JobRecord.status == JobStatus.QUEUED)
            .values(
                status=JobStatus.RUNNING,
                claim=new_id(),
                claimed_until=self._lease(now, lease),
                worker=worker,
                attempts=JobRecord.attempts + 1,
                started_at=now,
                progress=None,
            )
            .returning(*_CLAIMED)
            .execution_options(synchronize_session=False)
        )
        return [ClaimedJob(*row) for row in await self.session.execute(statement)]

    async def renew(
        self, runs: Iterable[ClaimedJob], now: datetime, lease: timedelta
    ) -> dict[tuple[UUID, UUID], bool]:
        """Prolong the leases of these runs; return for each that is still ours whether somebody wants it cancelled."""
        statement = (
            update(JobRecord)
            .where(
                tuple_(JobRecord.id, JobRecord.claim).in_([(run.id, run.claim) for run in runs]),
                JobRecord.status == JobStatus.RUNNING,
            )
            .values(claimed_until=self._lease(now, lease))
            .returning(JobRecord.id, JobRecord.claim, JobRecord.cancel_requested)
            .execution_options(synchronize_session=False)
        )
        rows: Any = await self.session.execute(statement)
        return {(row[0], row[1]): row[2] for row in rows}

    async def lock_lost(self, now: datetime, names: Sequence[str], limit: int) -> list[LostJob]:
        """Return running jobs of these names whose lease has run out, for this transaction to decide upon."""
        until = func.clock_timestamp() if self._is_postgresql else now
        statement = (
            select(
                JobRecord.id,
                JobRecord.claim,
                JobRecord.name,
                JobRecord.queue,
                JobRecord.attempts,
                JobRecord.worker,
            )
            .where(
                JobRecord.status == JobStatus.RUNNING,
                JobRecord.claimed_until < until,
                JobRecord.name.in_(names),
            )
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows: Any = await self.session.execute(statement)
        return [LostJob(*row) for row in rows]

    async def finish(self, run: ClaimedJob, now: datetime) -> bool:
        """Note that a run is done; False if it is no longer this process's."""
        return await self._end(run, status=JobStatus.DONE, finished_at=now, last_error=None)

    async def bury(self, run: ClaimedJob | LostJob, reason: str, now: datetime) -> bool:
        """Give a job up; it waits for somebody to look at it."""
        return await self._end(run, status=JobStatus.DEAD, finished_at=now, last_error=reason[:ERROR_LENGTH])

    async def drop(self, run: ClaimedJob, now: datetime) -> bool:
        """Note that a run was cancelled."""
        return await self._end(run, status=JobStatus.CANCELLED, finished_at=now)

    async def put_back(
        self, run: ClaimedJob | LostJob, run_at: datetime, reason: str | None, *, counted: bool
    ) -> bool:
        """Let the job wait until `run_at` for its next attempt.

        If a job with the same unique key was added meanwhile, that one does the work and this one ends.
        """
        waiting = JobRecord.__table__.alias("waiting")
        stands_in = exists().where(
            waiting.c.unique_key == JobRecord.unique_key, waiting.c.status == JobStatus.QUEUED
        )
        values: dict[str, Any] = {"run_at": run_at, "announced_at": None}
        if reason is not None:
            values["last_error"] = reason[:ERROR_LENGTH]
        if not counted:
            values["attempts"] = JobRecord.attempts - 1
        if await self._end(run, ~stands_in, status=JobStatus.QUEUED, **values):
            return True
        reason = "another job with the same unique key does it"
        return await self._end(run, status=JobStatus.CANCELLED, finished_at=run_at, last_error=reason)

    async def note_progress(self, run: ClaimedJob, progress: Mapping[str, Any]) -> bool:
        """Write how far a run is."""
        statement = (
            update(JobRecord)
            .where(_is_run(run))
            .values(progress=dict(progress))
            .returning(JobRecord.id)
            .execution_options(synchronize_session=False)
        )
        return (await self.session.execute(statement)).one_or_none() is not None

    async def _end(self, run: ClaimedJob | LostJob, *conditions: ColumnElement[bool], **values: Any) -> bool:
        statement = (
            update(JobRecord)
            .where(_is_run(run), *conditions)
            .values(claim=None, claimed_until=None, cancel_requested=False, **values)
            .returning(JobRecord.id)
            .execution_options(synchronize_session=False)
        )
        return (await self.session.execute(statement)).one_or_none() is not None

    async def find(self, job_id: UUID) -> JobView | None:
        """Return a job, or None."""
        row = (await self.session.execute(select(*_VIEW).where(JobRecord.id == job_id))).one_or_none()
        return None if row is None else JobView(*row)

    async def list_newest(
        self,
        *,
        status: JobStatus | None = None,
        name: str | None = None,
        queue: str | None = None,
        before: UUID | None = None,
        limit: int,
    ) -> list[JobView]:
        """Return jobs, newest first, that were written before the one called `before`."""
        statement = select(*_VIEW).order_by(JobRecord.id.desc()).limit(limit)
        wanted = {JobRecord.status: status, JobRecord.name: name, JobRecord.queue: queue}
        statement = statement.where(
            *(column == value for column, value in wanted.items() if value is not None)
        )
        if before is not None:
            statement = statement.where(JobRecord.id < before)
        return [JobView(*row) for row in await self.session.execute(statement)]

    async def revive(self, job_id: UUID, now: datetime) -> bool:
        """Let a job that was given up or cancelled run again, with all its attempts; False if it is neither."""
        statement = (
            update(JobRecord)
            .where(JobRecord.id == job_id, JobRecord.status.in_([JobStatus.DEAD, JobStatus.CANCELLED]))
            .values(
                status=JobStatus.QUEUED, run_at=now, attempts=0, finished_at=None, announced_at=None,
                unique_key=None,
            )
            .returning(JobRecord.id)
            .execution_options(synchronize_session=False)
        )  # fmt: skip
        return (await self.session.execute(statement)).one_or_none() is not None

    async def cancel(self, job_id: UUID, now: datetime) -> bool:
        """Cancel a job that waits, or ask for the end of its run; False if it has ended."""
        waits = (
            update(JobRecord)
            .where(JobRecord.id == job_id, JobRecord.status == JobStatus.QUEUED)
            .values(status=JobStatus.CANCELLED, finished_at=now)
            .returning(JobRecord.id)
            .execution_options(synchronize_session=False)
        )
        if (await self.session.execute(waits)).one_or_none() is not None:
            return True
        runs = (
            update(JobRecord)
            .where(JobRecord.id == job_id, JobRecord.status == JobStatus.RUNNING)
            .values(cancel_requested=True)
            .returning(JobRecord.id)
            .execution_options(synchronize_session=False)
        )
        return (await self.session.execute(runs)).one_or_none() is not None

    async def states(self, now: datetime) -> list[QueueState]:
        """Return how each queue is doing."""
        counts: dict[str, dict[JobStatus, int]] = {}
        counted = select(JobRecord.queue, JobRecord.status, func.count()).group_by(
            JobRecord.queue, JobRecord.status
        )
        for queue, status, count in await self.session.execute(counted):
            counts.setdefault(queue, {})[status] = count
        due = (
            select(JobRecord.queue, func.min(JobRecord.run_at))
            .where(JobRecord.status == JobStatus.QUEUED, JobRecord.run_at <= now)
            .group_by(JobRecord.queue)
        )
        oldest = {row[0]: row[1] for row in await self.session.execute(due)}
        return [QueueState(queue, counts[queue], oldest.get(queue)) for queue in sorted(counts)]

    async def unknown_names(self, names: Sequence[str]) -> dict[str, int]:
        """Return how many jobs wait under names that this release does not know."""
        statement = (
            select(JobRecord.name, func.count())
            .where(JobRecord.status == JobStatus.QUEUED, JobRecord.name.not_in(names))
            .group_by(JobRecord.name)
        )
        return {row[0]: row[1] for row in await self.session.execute(statement)}

    async def remove_ended(self, status: Sequence[JobStatus], before: datetime, limit: int) -> int:
        """Delete up to `limit` jobs that ended before then; return how many."""
        old = (
            select(JobRecord.id)
            .where(JobRecord.status.in_(status), JobRecord.finished_at < before)
            .limit(limit)
        )
        statement = (
            delete(JobRecord)
            .where(JobRecord.id.in_(old))
            .returning(JobRecord.id)
            .execution_options(synchronize_session=False)
        )
        return len((await self.session.execute(statement)).all())


class JobTrips:
    """The beginning of an announced run, and the usual end of any, in one trip: a transaction of its own."""

    def __init__(self, trips: Trips) -> None:
        self._trips = trips

    async def claim(
        self, job_id: UUID, names: Sequence[str], *, worker: str, now: datetime, lease: timedelta
    ) -> ClaimedJob | None:
        """Take one job if it is due and this release knows it."""
        values = {
            "wanted": job_id,
            "new_claim": new_id(),
            "worker_name": worker,
            "now": now,
            "lease": lease,
            "until": now + lease,
        }
        row = await self._trips.run(_claim_of(tuple(names)), values)
        return None if row is None else ClaimedJob(*row)

    async def finish(self, run: ClaimedJob, now: datetime) -> bool:
        """Note that a run is done; False if it is no longer this process's."""
        values = {"run_id": run.id, "run_claim": run.claim, "now": now}
        return await self._trips.run(_FINISH, values) is not None


@cache
def _claim_of(names: tuple[str, ...]) -> Trip:
    """Return the trip for the jobs that this release knows, which are constants of its statement."""
    now = bindparam("now", type_=UtcDateTime())
    claimed = (
        update(_T)
        .where(
            _T.c.id == bindparam("wanted", type_=Uuid()),
            _T.c.status == JobStatus.QUEUED,
            _T.c.run_at <= now,
            or_(*(_T.c.name == name for name in names)),
        )
        .values(
            status=JobStatus.RUNNING,
            claim=bindparam("new_claim", type_=Uuid()),
            worker=bindparam("worker_name", type_=String()),
            attempts=_T.c.attempts + 1,
            started_at=now,
            progress=null(),
        )
        .returning(*(_T.c[column.key] for column in _CLAIMED))
    )
    lease: Any = func.clock_timestamp() + bindparam("lease", type_=Interval())
    until = bindparam("until", type_=UtcDateTime())
    return Trip(postgresql=claimed.values(claimed_until=lease), sqlite=[claimed.values(claimed_until=until)])


_FINISHED = (
    update(_T)
    .where(
        _T.c.id == bindparam("run_id", type_=Uuid()),
        _T.c.claim == bindparam("run_claim", type_=Uuid()),
        _T.c.status == JobStatus.RUNNING,
    )
    .values(
        status=JobStatus.DONE,
        finished_at=bindparam("now", type_=UtcDateTime()),
        claim=None,
        claimed_until=None,
        cancel_requested=False,
        last_error=None,
    )
    .returning(_T.c.id)
)
_FINISH = Trip(postgresql=_FINISHED, sqlite=[_FINISHED])


@cache
def _unique_insert(dialect: str) -> Any:
    statement = insert_into(_T, dialect)
    sooner = case((_T.c.run_at <= statement.excluded.run_at, _T.c.run_at), else_=statement.excluded.run_at)
    return statement.on_conflict_do_update(
        index_elements=[_T.c.unique_key],
        index_where=text("status = 'queued' AND unique_key IS NOT NULL"),
        set_={"run_at": sooner},
    )


def _is_due(now: datetime, names: Sequence[str]) -> ColumnElement[bool]:
    return and_(JobRecord.status == JobStatus.QUEUED, JobRecord.run_at <= now, JobRecord.name.in_(names))


def _is_run(run: ClaimedJob | LostJob) -> ColumnElement[bool]:
    return and_(JobRecord.id == run.id, JobRecord.claim == run.claim, JobRecord.status == JobStatus.RUNNING)
