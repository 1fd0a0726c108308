"""What the trail contributes to the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from portico.audit.health import describe_chain, describe_sinks
from portico.audit.jobs import PERIODICS, SCHEDULES
from portico.audit.personal_data import AUDIT_PERSONAL_DATA
from portico.audit.refusals import RefusalTally
from portico.audit.services.resealing import reseal_trail
from portico.audit.settings import AuditSettings
from portico.audit.subscribers import record_key_rotation
from portico.feature import Feature, HealthCheck
from portico.http.refusals import RefusalLog
from portico.keys.events import SigningKeysRotated
from portico.keys.types import ResealStep
from portico.messaging import on
from portico.runtime import Runtime


def register_commands(app: Any) -> None:
    """Add `portico audit`; typer is imported only where there is a command line."""
    from portico.audit.commands import register_commands as register

    register(app)


@asynccontextmanager
async def audit_lifespan(runtime: Runtime) -> AsyncIterator[None]:
    """Keep what the edge refuses, and write the last of it when the process stops."""
    tally = runtime.get(RefusalTally)
    runtime.provide(RefusalLog, tally)
    yield
    await tally.write_last()


def audit_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="audit",
        settings=AuditSettings,
        subscribers=[on(SigningKeysRotated, record_key_rotation)],
        contributes={ResealStep: [ResealStep("the trail", reseal_trail)]},
        schedules=SCHEDULES,
        periodics=PERIODICS,
        ports={RefusalTally: RefusalTally},
        lifespan=audit_lifespan,
        commands=register_commands,
        health_checks=[HealthCheck("audit", describe_chain), HealthCheck("audit_sinks", describe_sinks)],
        personal_data=AUDIT_PERSONAL_DATA,
    )
