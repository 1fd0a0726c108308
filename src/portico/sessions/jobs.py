"""What sessions do now and then."""

from portico.messaging import JobRun, job
from portico.runtime import Runtime
from portico.sessions.services import Sessions, sweep_sessions


async def note_use_of_sessions(runtime: Runtime) -> None:
    """Write when the sessions that were used lately were used."""
    await Sessions(runtime, runtime.unit()).note_use()


@job("sessions.end_expired_impersonations")
async def end_expired_impersonations(run: JobRun) -> None:
    """Put on the trail that impersonations are over whose time is up; they have been good for nothing since."""
    await Sessions(run.runtime, run.runtime.unit()).end_expired_impersonations(limit=500)


@job("sessions.sweep")
async def sweep_outlived_sessions(run: JobRun) -> None:
    """Delete the rows of sessions that are over for long."""
    await sweep_sessions(run.runtime)
