"""What jobs and outbox say of themselves in `/health/detailed` and `portico doctor`: one line each."""

from datetime import timedelta

from portico.messaging.queue import Jobs, seconds_since
from portico.messaging.types import JobStatus
from portico.runtime import Runtime

LATE = timedelta(minutes=5)
"""How long something may be overdue before it counts as wrong."""


class Overdue(RuntimeError):
    """Work waits that nobody does."""


async def describe_jobs(runtime: Runtime) -> str:
    """Say how much waits, runs and was given up.

    Raises:
        Overdue: a job is due for minutes, or no process of this release knows it.
    """
    jobs, now = runtime.get(Jobs), runtime.clock.now()
    states = await jobs.states()
    sums = {status: sum(state.counts.get(status, 0) for state in states) for status in JobStatus}
    late = max((seconds_since(state.oldest_due, now) for state in states), default=0)
    line = (
        f"{sums[JobStatus.QUEUED]} waiting, {sums[JobStatus.RUNNING]} running, {sums[JobStatus.DEAD]} given up; "
        f"the oldest is {late} s overdue"
    )
    if unknown := await jobs.unknown_names():
        raise Overdue(f"{line}; of no release that runs here: {_counted(unknown)}")
    if late > LATE.total_seconds():
        raise Overdue(f"{line}: does a worker run?")
    return line


async def describe_outbox(runtime: Runtime) -> str:
    """Say how many events wait.

    Raises:
        Overdue: an event waits for minutes, or cannot be fanned out.
    """
    state = await runtime.get(Jobs).outbox_state()
    late = seconds_since(state.oldest, runtime.clock.now())
    line = f"{state.waiting} waiting, the oldest for {late} s; {state.unpublished} not at the broker yet"
    if state.faulty:
        raise Overdue(f"{line}; {state.faulty} cannot be fanned out: {state.fault}")
    if late > LATE.total_seconds():
        raise Overdue(f"{line}: does a server or worker run?")
    return line


def _counted(names: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(names.items()))
