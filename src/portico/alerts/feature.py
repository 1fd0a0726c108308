"""What alerts contribute to the application."""

from typing import Any

from portico.access.types import OrganizationRole, PlatformRole
from portico.alerts.book import AlertRules
from portico.alerts.health import describe_alerts
from portico.alerts.jobs import PERIODICS, SCHEDULES
from portico.alerts.metrics import alerts_lifespan
from portico.alerts.pages import router as page_router
from portico.alerts.permissions import AlertPermission
from portico.alerts.personal_data import ALERTS_PERSONAL_DATA
from portico.alerts.routes import routers
from portico.alerts.settings import AlertsSettings
from portico.feature import AccountSection, Feature, HealthCheck


def register_commands(app: Any) -> None:
    """Add `portico alerts`; typer is imported only where there is a command line."""
    from portico.alerts.commands import register_commands as register

    register(app)


def alerts_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="alerts",
        settings=AlertsSettings,
        permissions=AlertPermission,
        roles={
            OrganizationRole.ADMIN: {AlertPermission.READ, AlertPermission.HANDLE},
            PlatformRole.SUPPORT: {AlertPermission.PLATFORM_READ, AlertPermission.PLATFORM_ACKNOWLEDGE},
            PlatformRole.AUDITOR: {AlertPermission.PLATFORM_READ},
        },
        routers=routers,
        pages=[page_router],
        schedules=SCHEDULES,
        periodics=PERIODICS,
        ports={AlertRules: AlertRules.of},
        lifespan=alerts_lifespan,
        commands=register_commands,
        health_checks=[HealthCheck("alerts", describe_alerts)],
        personal_data=ALERTS_PERSONAL_DATA,
        account_sections=[AccountSection(label="Security", path="/account/security", order=25, icon="alert")],
        templates="portico.alerts",
    )
