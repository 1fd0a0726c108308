"""The endpoint at which devices begin to wait (RFC 8628, section 3.1)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from portico.oauth.pipeline.asks import Ask, Endpoint
from portico.oauth.routes.answering import answer, client_router
from portico.oauth.routes.descriptions import DEVICE, OF_CLIENT, answers_json, takes_form
from portico.oauth.services.devices import Devices

router = client_router()


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
