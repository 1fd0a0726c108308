"""The log of deliveries, and sending one again."""

from uuid import UUID

from portico.audit.services import record
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.http.pagination import Cursors, Page
from portico.runtime import Runtime
from portico.webhooks.errors import WebhookEndpointDisabled
from portico.webhooks.models import WebhookAttempt, WebhookDelivery
from portico.webhooks.queueing import enqueue_delivering
from portico.webhooks.repositories import DeliveryRepository, EndpointRepository
from portico.webhooks.schemas import DeliveryListQuery, DeliveryResponse
from portico.webhooks.types import DeliveryStatus, EndpointStatus


class Deliveries:
    """Shows deliveries and replays them."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def list_deliveries(self, query: DeliveryListQuery) -> Page[DeliveryResponse]:
        """Return one page of the log.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        async with self._runtime.reads() as session:
            found = await DeliveryRepository(session).list_deliveries(
                query,
                Cursors.of(self._runtime),
                endpoint_id=query.endpoint_id,
                status=query.status,
                event_name=query.event_name,
            )
        return found.to_page(DeliveryResponse.model_validate)

    async def get_delivery(self, delivery_id: UUID) -> tuple[WebhookDelivery, list[WebhookAttempt]]:
        """Return a delivery and the attempts at it, oldest first.

        Raises:
            WebhookDeliveryNotFound: there is none, or it is no longer kept (404).
        """
        async with self._runtime.reads() as session:
            deliveries = DeliveryRepository(session)
            found = await deliveries.get_delivery(delivery_id)
            return found, list(await deliveries.list_attempts(delivery_id))

    async def replay(self, delivery_id: UUID, *, actor: Principal | None = None) -> WebhookDelivery:
        """Send a delivery again under the same message id, with all its attempts; receivers tell it by the id.

        Raises:
            WebhookDeliveryNotFound: there is none (404).
            WebhookEndpointDisabled: its endpoint is switched off (409).
        """
        async with self._unit:
            deliveries = DeliveryRepository(self._unit.session)
            endpoint_id = (await deliveries.get_delivery(delivery_id)).endpoint_id
            endpoints = EndpointRepository(self._unit.session)
            endpoint = await endpoints.get_endpoint(endpoint_id, lock=True)
            if endpoint.status is EndpointStatus.DISABLED:
                raise WebhookEndpointDisabled
            row = await deliveries.get_delivery(delivery_id, lock=True)
            row.status, row.attempts, row.finished_at = DeliveryStatus.PENDING, 0, None
            row.next_attempt_at = self._runtime.clock.now()
            endpoint.resting_until = None
            record(
                self._runtime,
                self._unit,
                "webhook_delivery.replayed",
                actor=actor,
                subject=("webhook_delivery", delivery_id),
                details={"endpoint_id": str(endpoint_id)},
            )
            enqueue_delivering(self._runtime, self._unit, endpoint_id)
        return row
