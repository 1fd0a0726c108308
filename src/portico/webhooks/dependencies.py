"""What the routes of webhooks ask for."""

from typing import Annotated

from fastapi import Depends

from portico.http.dependencies import service
from portico.webhooks.services import Deliveries, Endpoints

EndpointsDep = Annotated[Endpoints, Depends(service(Endpoints))]
DeliveriesDep = Annotated[Deliveries, Depends(service(Deliveries))]
