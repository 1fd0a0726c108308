"""What webhooks contribute to the application."""

from portico.feature import Feature
from portico.webhooks.jobs import SCHEDULES, deliver
from portico.webhooks.pages import router as catch_all
from portico.webhooks.permissions import WebhookPermission
from portico.webhooks.routes import router
from portico.webhooks.services import write_deliveries
from portico.webhooks.settings import WebhooksSettings


def webhooks_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="webhooks",
        settings=WebhooksSettings,
        permissions=WebhookPermission,
        routers=[router],
        pages=[catch_all],
        jobs=[deliver],
        schedules=SCHEDULES,
        taps=[write_deliveries],
        templates="portico.webhooks",
    )
