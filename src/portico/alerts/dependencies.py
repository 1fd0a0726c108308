"""What the routes of alerts ask for."""

from typing import Annotated

from fastapi import Depends

from portico.alerts.services import Alerts
from portico.http.dependencies import service

AlertsDep = Annotated[Alerts, Depends(service(Alerts))]
