"""What webhooks contribute to the application."""

from typing import Any

from portico.feature import Feature
from portico.keys.types import SealedColumn
from portico.webhooks.jobs import PERIODICS, SCHEDULES, deliver
from portico.webhooks.models import WebhookEndpoint
from portico.webhooks.pages import router as catch_all
from portico.webhooks.permissions import WebhookPermission
from portico.webhooks.routes import router
from portico.webhooks.services import write_deliveries
from portico.webhooks.services.secrets import PURPOSE
from portico.webhooks.settings import WebhooksSettings

SECRETS = tuple(
    SealedColumn(
        column=column, key=WebhookEndpoint.id, purpose=PURPOSE, context=lambda endpoint_id: endpoint_id.bytes
    )
    for column in (WebhookEndpoint.sealed_secret, WebhookEndpoint.sealed_previous_secret)
)


def register_commands(app: Any) -> None:
    """Add `portico webhooks`; typer is imported only where there is a command line."""
    from portico.webhooks.commands import register_commands as register

    register(app)


def webhooks_feature() -> Feature:
    """Return the declaration."""
    return Feature(
        name="webhooks",
        settings=WebhooksSettings,
        permissions=WebhookPermission,
        contributes={SealedColumn: SECRETS},
        routers=[router],
        pages=[catch_all],
        jobs=[deliver],
        schedules=SCHEDULES,
        periodics=PERIODICS,
        taps=[write_deliveries],
        commands=register_commands,
        templates="portico.webhooks",
    )
