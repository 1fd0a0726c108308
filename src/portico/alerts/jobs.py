"""What processes do for alerts: follow the trail, and let go what is old."""

from datetime import timedelta

from portico.alerts.repositories import AlertRepository, CounterRepository, MailboxRepository
from portico.alerts.services import Following
from portico.alerts.settings import AlertsSettings
from portico.messaging import JobRun, Periodic, Schedule, job
from portico.messaging.sweeps import in_batches
from portico.runtime import Runtime


async def follow(runtime: Runtime) -> int:
    """Hear what was chained, unless another process does."""
    return await Following(runtime).run()


@job("alerts.sweep")
async def sweep(run: JobRun) -> None:
    """Forget counters that count nothing any more, mailboxes that are empty, and alerts that are old enough."""
    runtime, now = run.runtime, run.runtime.clock.now()
    settings = runtime.section(AlertsSettings)
    await in_batches(runtime, lambda unit, limit: CounterRepository(unit.session).remove_expired(now, limit))
    await in_batches(
        runtime,
        lambda unit, limit: MailboxRepository(unit.session).remove_idle(now - settings.mail_gap, limit),
    )
    await in_batches(
        runtime, lambda unit, limit: AlertRepository(unit.session).remove_old(now - settings.keep, limit)
    )


SCHEDULES = (Schedule(sweep, every=timedelta(hours=1)),)
PERIODICS = (Periodic("alerts.follower", timedelta(seconds=0.5), follow),)
