"""What the authorization server does by the clock."""

from datetime import timedelta

from portico.messaging import JobRun, Schedule, job
from portico.oauth.services.housekeeping import forget_what_is_over
from portico.oauth.services.unused_clients import remove_unused_clients

HOURLY = timedelta(hours=1)


@job("oauth.remove_unused_clients")
async def remove_unused(run: JobRun) -> None:
    """Forget clients that registered themselves and were never used."""
    await remove_unused_clients(run.runtime)


@job("oauth.sweep")
async def sweep(run: JobRun) -> None:
    """Forget what is over."""
    await forget_what_is_over(run.runtime)


SCHEDULES = (Schedule(remove_unused, every=HOURLY), Schedule(sweep, every=HOURLY))
