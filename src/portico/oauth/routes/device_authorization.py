"""The endpoint at which devices begin to wait (RFC 8628, section 3.1)."""

from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from portico.http.access import public
from portico.http.markers import body_limit, open_to_clients, without_idempotency
from portico.oauth.pipeline.asks import Ask, Endpoint
from portico.oauth.routes.answering import MAX_BODY, answer
from portico.oauth.routes.descriptions import DEVICE, OF_CLIENT, answers_json, takes_form
from portico.oauth.services.devices import Devices

router = APIRouter(
    tags=["oauth"],
    dependencies=[
        Depends(public),
        Depends(open_to_clients),
        Depends(without_idempotency),
        Depends(body_limit(MAX_BODY)),
    ],
)


@router.post(
    "/oauth/device_authorization",
    summary="Begin to wait for a person's approval",
    responses=answers_json(DEVICE, 400, 401),
    openapi_extra=takes_form("scope", "resource", "authorization_details", *OF_CLIENT),
)
async def authorize_device(request: Request) -> Response:
    """Take what a device asks for; answer the code that it shows and the one with which it asks again."""
    return await answer(request, Endpoint.DEVICE, _begin)


async def _begin(ask: Ask) -> dict[str, Any]:
    return await Devices(ask.runtime).begin(ask)
