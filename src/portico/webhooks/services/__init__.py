"""The use cases of webhooks: endpoints, their deliveries, the delivering itself."""

from portico.webhooks.services.deliveries import Deliveries
from portico.webhooks.services.delivering import Delivering
from portico.webhooks.services.endpoints import EndpointChanges, Endpoints, NewEndpoint
from portico.webhooks.services.fanout import write_deliveries

__all__ = ["Deliveries", "Delivering", "EndpointChanges", "Endpoints", "NewEndpoint", "write_deliveries"]
