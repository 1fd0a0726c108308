"""Who is told that an endpoint was switched off: the trail, whoever hears events, and the administrators by mail."""

from portico.access.services import list_superusers
from portico.audit.services import record
from portico.core.ids import PrincipalId, UserId
from portico.db.unit import Unit
from portico.mail.services import Mailer
from portico.messaging import EventBus
from portico.runtime import Runtime
from portico.users.addresses import parse_address
from portico.users.services import Users
from portico.webhooks.events import WebhookEndpointDisabled
from portico.webhooks.types import ClaimedEndpoint, DisabledReason

MOST_MAILS = 20


async def announce_disabled(
    runtime: Runtime, unit: Unit, endpoint: ClaimedEndpoint, reason: DisabledReason
) -> None:
    """Tell of an endpoint that was switched off without anybody's doing, in the open unit."""
    record(
        runtime,
        unit,
        "webhook_endpoint.disabled",
        subject=("webhook_endpoint", endpoint.id),
        details={"reason": reason.value},
    )
    event = WebhookEndpointDisabled(at=runtime.clock.now(), endpoint_id=endpoint.id, reason=reason)
    await runtime.get(EventBus).emit(event, unit)
    await _mail_administrators(runtime, unit, endpoint, reason)


async def _mail_administrators(
    runtime: Runtime, unit: Unit, endpoint: ClaimedEndpoint, reason: DisabledReason
) -> None:
    for principal_id in (await list_superusers(unit.session))[:MOST_MAILS]:
        person = await Users(runtime, unit).find_user(UserId(PrincipalId(principal_id)))
        if person is None or not person.is_active:
            continue
        runtime.get(Mailer).enqueue(
            unit,
            template="webhook_disabled",
            to=parse_address(person.email).deliverable,
            locale=person.locale,
            context={
                "name": person.full_name or person.username,
                "endpoint_url": endpoint.url,
                "is_gone": reason is DisabledReason.GONE,
                "failing_since": endpoint.failing_since,
                "timezone": person.timezone,
            },
        )
