"""What the authorization server does by the clock, and what it tells others."""

from datetime import timedelta
from uuid import UUID

from portico.messaging import Backoff, JobRefused, JobRun, RetryLater, Schedule, job
from portico.oauth.services.back_channel import NotTold, tell_client
from portico.oauth.services.housekeeping import end_outlived_grants, forget_what_is_over
from portico.oauth.services.unused_clients import remove_unused_clients

HOURLY = timedelta(hours=1)
TELLING = Backoff(first=timedelta(seconds=10), longest=timedelta(minutes=10))


@job("oauth.remove_unused_clients")
async def remove_unused(run: JobRun) -> None:
    """Forget clients that registered themselves and were never used."""
    await remove_unused_clients(run.runtime)


@job("oauth.sweep")
async def sweep(run: JobRun) -> None:
    """End what has outlived its session, and forget what is over."""
    await end_outlived_grants(run.runtime)
    await forget_what_is_over(run.runtime)


@job("oauth.tell_signed_out", attempts=12, time_limit=timedelta(seconds=30), backoff=TELLING)
async def tell_signed_out(run: JobRun, *, client_key: UUID, session_id: UUID, user_id: UUID) -> None:
    """Tell a client that somebody signed out; tried for about an hour (Back-Channel Logout 1.0, section 2.5)."""
    try:
        await tell_client(run.runtime, client_key, session_id, user_id)
    except NotTold as fault:
        if fault.for_good:
            raise JobRefused(fault.reason) from None
        raise RetryLater(TELLING.after(run.attempt, run.runtime.entropy), fault.reason) from None


SCHEDULES = (Schedule(remove_unused, every=HOURLY), Schedule(sweep, every=HOURLY))
