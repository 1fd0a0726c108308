"""`/metrics` for Prometheus: who may read the server's health may read it (ASVS 5.0 V13.4.5)."""

import asyncio

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from portico.core.metrics import Metrics
from portico.http.access import requires
from portico.http.permissions import HealthPermission
from portico.runtime import Runtime

router = APIRouter(tags=["health"], dependencies=[Depends(requires(HealthPermission.READ))])


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"description": "In the form of Prometheus or OpenMetrics", "content": {"text/plain": {}}}
    },
)
async def metrics(request: Request) -> Response:
    """Tell what was counted; give a scraper an API key with `platform:health:read`."""
    runtime: Runtime = request.app.state.runtime
    accept = request.headers.get("accept", "")
    body, media_type = await asyncio.to_thread(runtime.get(Metrics).written, accept)
    return Response(body, headers={"content-type": media_type})
