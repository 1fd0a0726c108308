"""What the trail contributes to the application."""

from typing import Any

from portico.audit.health import describe_chain, describe_sinks
from portico.audit.jobs import PERIODICS, SCHEDULES
from portico.audit.personal_data import AUDIT_PERSONAL_DATA
from portico.audit.settings import AuditSettings
from portico.audit.subscribers import record_key_rotation
from portico.feature import Feature, HealthCheck
from portico.keys.events import SigningKeysRotated
from portico.messaging import on


def register_commands(app: Any) -> None:
    """Add `portico audit`; typer is imported only where there is a command line."""
    from portico.audit.commands import register_commands as register

    register(app)


def audit_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="audit",
        settings=AuditSettings,
        subscribers=[on(SigningKeysRotated, record_key_rotation)],
        schedules=SCHEDULES,
        periodics=PERIODICS,
        commands=register_commands,
        health_checks=[HealthCheck("audit", describe_chain), HealthCheck("audit_sinks", describe_sinks)],
        personal_data=AUDIT_PERSONAL_DATA,
    )
