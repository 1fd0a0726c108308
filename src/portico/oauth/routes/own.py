"""The applications that one has connected: `/oauth/connections`. Whose they are is never asked of the request."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from portico.http.access import requires
from portico.http.dependencies import PrincipalDep, service
from portico.http.problems import describes
from portico.oauth.errors import GrantNotFound
from portico.oauth.permissions import OAuthPermission
from portico.oauth.schemas.connections import ConnectionResponse, ConnectionsResponse
from portico.oauth.services.connections import Connections

ConnectionsDep = Annotated[Connections, Depends(service(Connections))]

router = APIRouter(prefix="/oauth/connections", tags=["oauth connections"])


@router.get(
    "",
    dependencies=[Depends(requires(OAuthPermission.SELF_READ))],
    summary="List the applications that one has connected",
)
async def list_connections(principal: PrincipalDep, connections: ConnectionsDep) -> ConnectionsResponse:
    """Return every application that may act in the caller's name, the last connected first."""
    found = await connections.list_connections(principal.id)
    return ConnectionsResponse(data=[ConnectionResponse.of(each) for each in found])


@router.delete(
    "/{client_key}",
    status_code=204,
    dependencies=[Depends(requires(OAuthPermission.SELF_REVOKE))],
    responses=describes(GrantNotFound),
    summary="Disconnect an application",
)
async def disconnect(client_key: UUID, principal: PrincipalDep, connections: ConnectionsDep) -> None:
    """End all that the application may do for the caller; its tokens are refused when this is answered."""
    await connections.disconnect(principal.id, client_key, actor=principal)
