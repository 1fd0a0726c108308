"""Runs one claimed job to its end and writes down how it ended.

Whatever the function does (return, raise, hang, exit), the row tells; only a process that dies writes nothing, and
then the lease runs out and `recover_lost` decides.
"""

import asyncio
from datetime import timedelta

import structlog

from portico.core import failpoints
from portico.core.context import RequestContext, set_current_asker, set_current_request
from portico.core.errors import Unavailable
from portico.core.masking import masked_text
from portico.messaging.errors import LeaseLost, PayloadInvalid, UnknownEvent
from portico.messaging.jobs import Job, JobRegistry
from portico.messaging.repositories.jobs import JobRepository, JobTrips
from portico.messaging.runs import JobRefused, JobRun, PauseQueue, RetryLater
from portico.messaging.types import ClaimedJob, JobStatus
from portico.runtime import Runtime

log = structlog.get_logger("portico.jobs")

NOTING_TRIES = 5
"""How often it is tried to write down how a run ended, with 1, 2, 4, 8 s in between, before its lease is left to run
out."""
FINAL = (PayloadInvalid, JobRefused)
"""What no further attempt can mend."""
UNKNOWN_WAIT = timedelta(minutes=1)
"""How long a job waits that tells of an event which only another release knows; no attempt is counted."""


class Cancelled(Exception):
    """Somebody asked for the end of the run."""


class GivenBack(Exception):
    """The process stops; the job goes to the next one, uncounted."""


async def execute(runtime: Runtime, claimed: ClaimedJob) -> JobStatus | None:
    """Run a claimed job; return where it stands then, or None if it is no longer ours to say.

    Raises:
        PauseQueue: noted as put back; the caller leaves the queue alone for `after`.
        Unavailable: the database was away for longer than was worth waiting; the lease runs out.
    """
    if failpoints.armed:
        await failpoints.reach("jobs.run.after_claim")
    definition = runtime.get(JobRegistry).find(claimed.name)
    if definition is None:  # claimed by name, so it was known a moment ago
        raise LookupError(claimed.name)
    set_current_request(RequestContext(request_id=claimed.request_id or f"job-{claimed.id}"))
    run = JobRun(runtime=runtime, job=claimed, attempts=definition.attempts)
    set_current_asker(lambda: run.asker)
    error = await _failure_of(definition, run)
    if run.is_finished:
        if error is not None:
            log.error(
                "job_failed_after_its_commit", job=str(claimed.id), name=claimed.name, error=told(error)
            )
        return JobStatus.DONE
    return await _Noting(runtime, definition, run).note(error)


async def _failure_of(definition: Job[...], run: JobRun) -> BaseException | None:
    """Return what the function raised, also if it asked the process to exit; None if it returned."""
    limit = asyncio.timeout(definition.time_limit.total_seconds())
    try:
        async with limit:
            await definition.run(run, run.job.arguments)
    except asyncio.CancelledError as error:
        reason = error.args[0] if error.args else None
        return reason if isinstance(reason, Cancelled | GivenBack | LeaseLost) else GivenBack()
    except TimeoutError as error:
        if limit.expired():
            return TimeoutError(f"not done within {definition.time_limit.total_seconds():g} seconds")
        return error
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - the edge of a job: written down
        return error
    return None


class _Noting:
    """Writes how a run ended."""

    def __init__(self, runtime: Runtime, definition: Job[...], run: JobRun) -> None:
        self._runtime = runtime
        self._definition = definition
        self._run = run

    async def note(self, error: BaseException | None) -> JobStatus | None:
        """Write the end of the run; return the status, None if the run is no longer ours."""
        if isinstance(error, LeaseLost):
            log.warning("job_lease_lost", **self._facts)
            return None
        status = await self._written(error)
        if status is None:
            log.warning("job_lease_lost", **self._facts)
        elif error is not None:
            self._tell(status, error)
        if isinstance(error, PauseQueue):
            raise error
        return status

    async def _written(self, error: BaseException | None) -> JobStatus | None:
        for attempt in range(NOTING_TRIES):
            try:
                return await self._write(error)
            except Unavailable:
                if attempt + 1 == NOTING_TRIES:
                    raise
                await self._runtime.clock.sleep(2.0**attempt)
        raise AssertionError("unreachable")

    async def _write(self, error: BaseException | None) -> JobStatus | None:
        if failpoints.armed:
            await failpoints.reach("jobs.run.before_finish")
        if error is None:
            finished = await JobTrips(self._runtime.database.trips).finish(
                self._run.job, self._runtime.clock.now()
            )
            status = JobStatus.DONE if finished else None
        else:
            status = await self._write_failure(error)
        if failpoints.armed:
            await failpoints.reach("jobs.run.after_finish")
        return status

    async def _write_failure(self, error: BaseException) -> JobStatus | None:
        job, now = self._run.job, self._runtime.clock.now()
        async with self._runtime.unit() as unit:
            jobs = JobRepository(unit.session)
            if isinstance(error, Cancelled):
                status, is_ours = JobStatus.CANCELLED, await jobs.drop(job, now)
            elif self._is_final(error):
                status, is_ours = JobStatus.DEAD, await jobs.bury(job, told(error), now)
            else:
                wait, is_counted = self._wait(error)
                reason = None if isinstance(error, GivenBack) else told(error)
                status = JobStatus.QUEUED
                is_ours = await jobs.put_back(job, now + wait, reason, counted=is_counted)
        return status if is_ours else None

    def _is_final(self, error: BaseException) -> bool:
        if isinstance(error, FINAL):
            return True
        is_counted = error.counted if isinstance(error, RetryLater) else not isinstance(error, GivenBack)
        return is_counted and not isinstance(error, UnknownEvent) and self._run.is_last_attempt

    def _wait(self, error: BaseException) -> tuple[timedelta, bool]:
        if isinstance(error, GivenBack):
            return timedelta(0), False
        if isinstance(error, UnknownEvent):
            return UNKNOWN_WAIT, False
        if isinstance(error, RetryLater):
            return error.after, error.counted
        return self._definition.backoff.after(self._run.attempt, self._runtime.entropy), True

    def _tell(self, status: JobStatus, error: BaseException) -> None:
        facts = {**self._facts, "attempt": self._run.attempt, "error": told(error)}
        if status is JobStatus.DEAD:
            expected = isinstance(error, (RetryLater, *FINAL))
            log.error("job_dead", **facts, exc_info=None if expected else error)
        elif status is JobStatus.QUEUED and not isinstance(error, GivenBack):
            log.warning("job_put_back", **facts)

    @property
    def _facts(self) -> dict[str, str]:
        return {"job": str(self._run.id), "name": self._run.job.name}


def told(error: BaseException) -> str:
    """Return an error as it may be stored and logged: its kind and text, without what looks like somebody's data."""
    text = masked_text(" ".join(str(error).split()))
    return text if isinstance(error, RetryLater | JobRefused) else f"{type(error).__name__}: {text}"


async def recover_lost(runtime: Runtime) -> int:
    """Decide on jobs whose process was not heard of within the lease; return how many there were.

    They are tried again, after a wait that grows as for any failure (a job may be what kills its process), and are
    given up after their last attempt. Those that this release does not know are left to one that does.
    """
    now, registry = runtime.clock.now(), runtime.get(JobRegistry)
    async with runtime.unit() as unit:
        jobs = JobRepository(unit.session)
        lost = await jobs.lock_lost(now, registry.names, 100)
        for each in lost:
            definition = registry.find(each.name)
            assert definition is not None  # noqa: S101 - asked for by name
            reason = f"its worker {each.worker or ''} went away during attempt {each.attempts}"
            if each.attempts >= definition.attempts:
                await jobs.bury(each, reason, now)
            else:
                wait = (
                    definition.backoff.after(each.attempts, runtime.entropy)
                    if each.attempts > 1
                    else timedelta()
                )
                await jobs.put_back(each, now + wait, reason, counted=True)
    for each in lost:
        log.warning("job_lost", job=str(each.id), name=each.name, worker=each.worker, attempt=each.attempts)
    return len(lost)
