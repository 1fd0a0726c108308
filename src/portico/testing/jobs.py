"""Jobs in tests: done as soon as the act is committed and before it is answered, or by hand.

`do_jobs_at_once(runtime)` for the first; for the second `await run_due_jobs(runtime)`, or `do_job` for one job, with
the clock moved as the test wants it.
"""

from collections.abc import Collection

from portico.messaging import Job, Jobs, JobStatus
from portico.messaging.draining import run_due_jobs
from portico.messaging.wake import Wake
from portico.runtime import Runtime

__all__ = ["DoesAtOnce", "do_job", "do_jobs_at_once", "run_due_jobs"]


class DoesAtOnce(Wake):
    """Relays and does what is due right after each commit; what that leads to as well."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._is_at_it = False

    async def relay(self, *, is_urgent: bool = True) -> None:
        """Do what is due."""
        await self._do()

    async def runner(self, queues: Collection[str]) -> None:
        """Do what is due."""
        await self._do()

    async def _do(self) -> None:
        if self._is_at_it:  # a commit of a job that is being done: the loop that does it comes round again
            return
        self._is_at_it = True
        try:
            await run_due_jobs(self._runtime)
        finally:
            self._is_at_it = False


def do_jobs_at_once(runtime: Runtime) -> None:
    """Do the runtime's jobs as soon as they are committed, from now on."""
    runtime.provide(Wake, DoesAtOnce(runtime))


async def do_job[**P](runtime: Runtime, job: Job[P], /, *args: P.args, **kwargs: P.kwargs) -> None:
    """Write a job and do it, with whatever else is due.

    Raises:
        AssertionError: it is not done.
    """
    async with runtime.unit() as unit:
        job_id = runtime.get(Jobs).enqueue(unit, job, *args, **kwargs)
    await run_due_jobs(runtime)
    view = await runtime.get(Jobs).get(job_id)
    assert view.status is JobStatus.DONE, f"{job.name} is {view.status}: {view.last_error}"
