"""What alerts say of themselves in `/health/detailed` and `portico doctor`."""

from datetime import timedelta
from typing import Final

from portico.alerts.repositories import AlertRepository, FollowerRepository
from portico.alerts.settings import AlertsSettings
from portico.runtime import Runtime

DAY: Final = timedelta(days=1)


class AlertsBehind(RuntimeError):
    """Entries wait too long for the rules."""


async def describe_alerts(runtime: Runtime) -> str:
    """Say how many alerts are open, what was raised within a day, and how much of the trail is unread.

    Raises:
        AlertsBehind: an entry waits for longer than the settings allow.
    """
    now = runtime.clock.now()
    async with runtime.reads() as session:
        unread, oldest = await FollowerRepository(session).lag()
        totals = await AlertRepository(session).totals(now - DAY)
    raised = ", ".join(f"{total.rule} {total.raised}" for total in totals if total.raised) or "nothing"
    seconds = max((now - oldest).total_seconds(), 0) if oldest else 0
    line = (
        f"{sum(total.open for total in totals)} open; raised within a day: {raised}; {unread} entries unread"
    )
    if seconds > runtime.section(AlertsSettings).lag_limit.total_seconds():
        raise AlertsBehind(f"{line}, the oldest for {seconds:.0f} s: does a server or worker run?")
    return line
