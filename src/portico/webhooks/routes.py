"""The API of webhooks: endpoints, their secrets, the log. Every route has its caller read from the database anew."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from portico.core.errors import PreconditionFailed
from portico.http.access import requires
from portico.http.dependencies import PrincipalDep
from portico.http.errors import CursorInvalid
from portico.http.etags import ConditionsDep
from portico.http.markers import without_idempotency
from portico.http.pagination import Page
from portico.http.problems import describes
from portico.sessions.dependencies import fresh_principal
from portico.webhooks.dependencies import DeliveriesDep, EndpointsDep
from portico.webhooks.errors import (
    WebhookDeliveryNotFound,
    WebhookEndpointDisabled,
    WebhookEndpointInvalid,
    WebhookEndpointNotFound,
)
from portico.webhooks.permissions import WebhookPermission
from portico.webhooks.schemas import (
    AttemptResponse,
    CreatedEndpointResponse,
    CreateEndpointRequest,
    DeliveryDetailsResponse,
    DeliveryListQuery,
    DeliveryResponse,
    EndpointListQuery,
    EndpointResponse,
    QueuedDeliveryResponse,
    SecretResponse,
    UpdateEndpointRequest,
)
from portico.webhooks.services import EndpointChanges, NewEndpoint

router = APIRouter(prefix="/admin/webhooks", tags=["webhooks"], dependencies=[Depends(fresh_principal)])


@router.get(
    "",
    dependencies=[Depends(requires(WebhookPermission.READ))],
    responses=describes(CursorInvalid),
    summary="List endpoints",
)
async def list_endpoints(
    query: Annotated[EndpointListQuery, Query()], endpoints: EndpointsDep
) -> Page[EndpointResponse]:
    """Return one page of the endpoints, the newest first; never their secrets."""
    return await endpoints.list_endpoints(query)


@router.post(
    "",
    status_code=201,
    dependencies=[
        Depends(requires(WebhookPermission.CREATE)),
        Depends(without_idempotency),  # the answer carries a secret
    ],
    responses=describes(WebhookEndpointInvalid),
    summary="Make an endpoint",
)
async def create_endpoint(
    body: CreateEndpointRequest, response: Response, principal: PrincipalDep, endpoints: EndpointsDep
) -> CreatedEndpointResponse:
    """Make an endpoint that hears events from now on; its secret is shown this once."""
    new = NewEndpoint(url=body.url, event_names=body.event_names, description=body.description)
    row, issued = await endpoints.create_endpoint(new, actor=principal)
    response.headers["Location"] = f"/api/v1/admin/webhooks/{row.id}"
    return CreatedEndpointResponse(endpoint=EndpointResponse.model_validate(row), secret=issued.secret)


@router.get(
    "/deliveries",
    dependencies=[Depends(requires(WebhookPermission.READ))],
    responses=describes(CursorInvalid),
    summary="List deliveries",
)
async def list_deliveries(
    query: Annotated[DeliveryListQuery, Query()], deliveries: DeliveriesDep
) -> Page[DeliveryResponse]:
    """Return one page of the log, the newest first. By cursor it is as fast at any depth."""
    return await deliveries.list_deliveries(query)


@router.get(
    "/deliveries/{delivery_id}",
    dependencies=[Depends(requires(WebhookPermission.READ))],
    responses=describes(WebhookDeliveryNotFound),
    summary="See a delivery",
)
async def get_delivery(delivery_id: UUID, deliveries: DeliveriesDep) -> DeliveryDetailsResponse:
    """Return a delivery with what was sent and every attempt."""
    row, tries = await deliveries.get_delivery(delivery_id)
    listed = DeliveryResponse.model_validate(row)
    return DeliveryDetailsResponse(
        **dict(listed), body=row.body, tries=[AttemptResponse.model_validate(each) for each in tries]
    )


@router.post(
    "/deliveries/{delivery_id}/replay",
    status_code=202,
    dependencies=[Depends(requires(WebhookPermission.SEND))],
    responses=describes(WebhookDeliveryNotFound, WebhookEndpointDisabled),
    summary="Send a delivery again",
)
async def replay_delivery(
    delivery_id: UUID, principal: PrincipalDep, deliveries: DeliveriesDep
) -> QueuedDeliveryResponse:
    """Send a message again under the same id, with all its attempts."""
    row = await deliveries.replay(delivery_id, actor=principal)
    return QueuedDeliveryResponse(delivery_id=row.id)


@router.get(
    "/{endpoint_id}",
    dependencies=[Depends(requires(WebhookPermission.READ))],
    responses=describes(WebhookEndpointNotFound),
    summary="See an endpoint",
)
async def get_endpoint(
    endpoint_id: UUID, response: Response, conditions: ConditionsDep, endpoints: EndpointsDep
) -> EndpointResponse:
    """Return an endpoint without its secret."""
    row = await endpoints.get_endpoint(endpoint_id)
    conditions.answer(response, row.version)
    return EndpointResponse.model_validate(row)


@router.patch(
    "/{endpoint_id}",
    dependencies=[Depends(requires(WebhookPermission.UPDATE))],
    responses=describes(WebhookEndpointNotFound, WebhookEndpointInvalid, PreconditionFailed),
    summary="Change an endpoint",
)
async def change_endpoint(
    *,
    endpoint_id: UUID,
    body: UpdateEndpointRequest,
    response: Response,
    principal: PrincipalDep,
    conditions: ConditionsDep,
    endpoints: EndpointsDep,
) -> EndpointResponse:
    """Change what is sent. What waits already goes to the new address."""
    row = await endpoints.change_endpoint(
        endpoint_id, EndpointChanges(body.sent()), check_version=conditions.require, actor=principal
    )
    conditions.answer(response, row.version)
    return EndpointResponse.model_validate(row)


@router.delete(
    "/{endpoint_id}",
    status_code=204,
    dependencies=[Depends(requires(WebhookPermission.DELETE))],
    responses=describes(WebhookEndpointNotFound, PreconditionFailed),
    summary="Delete an endpoint",
)
async def delete_endpoint(
    endpoint_id: UUID, principal: PrincipalDep, conditions: ConditionsDep, endpoints: EndpointsDep
) -> None:
    """Delete an endpoint, its messages and its log."""
    await endpoints.delete_endpoint(endpoint_id, check_version=conditions.require, actor=principal)


@router.post(
    "/{endpoint_id}/enable",
    dependencies=[Depends(requires(WebhookPermission.UPDATE))],
    responses=describes(WebhookEndpointNotFound),
    summary="Switch an endpoint on",
)
async def enable_endpoint(
    endpoint_id: UUID, principal: PrincipalDep, endpoints: EndpointsDep
) -> EndpointResponse:
    """Let an endpoint hear events again; what still waits for it is sent now."""
    return EndpointResponse.model_validate(await endpoints.enable_endpoint(endpoint_id, actor=principal))


@router.post(
    "/{endpoint_id}/disable",
    dependencies=[Depends(requires(WebhookPermission.UPDATE))],
    responses=describes(WebhookEndpointNotFound),
    summary="Switch an endpoint off",
)
async def disable_endpoint(
    endpoint_id: UUID, principal: PrincipalDep, endpoints: EndpointsDep
) -> EndpointResponse:
    """Let an endpoint hear nothing. What waits for it is kept for a while, should it be enabled again."""
    return EndpointResponse.model_validate(await endpoints.disable_endpoint(endpoint_id, actor=principal))


@router.post(
    "/{endpoint_id}/rotate-secret",
    dependencies=[
        Depends(requires(WebhookPermission.ROTATE_SECRET)),
        Depends(without_idempotency),  # the answer carries a secret
    ],
    responses=describes(WebhookEndpointNotFound),
    summary="Change an endpoint's secret",
)
async def rotate_secret(
    endpoint_id: UUID, principal: PrincipalDep, endpoints: EndpointsDep
) -> SecretResponse:
    """Give an endpoint a new secret, shown this once; for a while messages are signed under both."""
    return SecretResponse.model_validate(await endpoints.rotate_secret(endpoint_id, actor=principal))


@router.post(
    "/{endpoint_id}/test",
    status_code=202,
    dependencies=[Depends(requires(WebhookPermission.SEND))],
    responses=describes(WebhookEndpointNotFound, WebhookEndpointDisabled),
    summary="Send a test event",
)
async def send_test(
    endpoint_id: UUID, principal: PrincipalDep, endpoints: EndpointsDep
) -> QueuedDeliveryResponse:
    """Send an endpoint the event `webhook.test`; what came of it is in the log."""
    return QueuedDeliveryResponse(delivery_id=await endpoints.send_test(endpoint_id, actor=principal))
