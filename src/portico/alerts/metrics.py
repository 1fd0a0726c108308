"""What of alerts is counted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from portico.alerts.book import AlertRules
from portico.core.metrics import CounterOf, Metrics
from portico.runtime import Runtime

ALERTS: Final = CounterOf("portico_security_alerts", "Alerts that this process raised.", ("rule", "severity"))


@asynccontextmanager
async def alerts_lifespan(runtime: Runtime) -> AsyncIterator[None]:
    """Show the counter of every rule before its first alert."""
    rules = runtime.get(AlertRules).by_name.values()
    runtime.get(Metrics).expect(ALERTS, [(rule.name, rule.severity.value) for rule in rules])
    yield
