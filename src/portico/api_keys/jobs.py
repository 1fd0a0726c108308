"""What keys do by the clock, and what each process repeats."""

from datetime import timedelta

from portico.api_keys.services.housekeeping import expire_keys, note_use, remind_of_ends, sweep_dead_keys
from portico.messaging import JobRun, Periodic, Schedule, job


@job("api_keys.remind")
async def remind(run: JobRun) -> None:
    """Remind of keys that end soon."""
    await remind_of_ends(run.runtime)


@job("api_keys.expire")
async def expire(run: JobRun) -> None:
    """Mark keys that have reached their end."""
    await expire_keys(run.runtime)


@job("api_keys.sweep")
async def sweep(run: JobRun) -> None:
    """Forget keys that have been over for long."""
    await sweep_dead_keys(run.runtime)


HOURLY = timedelta(hours=1)
SCHEDULES = (
    Schedule(remind, every=HOURLY),
    Schedule(expire, every=HOURLY),
    Schedule(sweep, every=timedelta(days=1)),
)
PERIODICS = (Periodic("api_keys.note_use", every=timedelta(seconds=30), run=note_use),)
