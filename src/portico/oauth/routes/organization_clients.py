"""An organization's own clients: `/organizations/{organization_id}/oauth/clients`.

People are always asked before one is let in, PKCE is always needed, and no such client has a right over the platform.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query, Response

from portico.core.errors import PreconditionFailed
from portico.http.access import OrganizationNotFound, SignInTooOld, requires
from portico.http.dependencies import PrincipalDep
from portico.http.errors import CursorInvalid
from portico.http.etags import ConditionsDep
from portico.http.pagination import Page
from portico.http.problems import describes
from portico.oauth.dependencies import FRESH, ClientAdministrationDep, SecretRotationDep
from portico.oauth.errors import (
    ClientHasNoSecret,
    ClientMetadataInvalid,
    ClientNotFound,
    ClientSecretNotFound,
    TooManyClients,
    TooManyClientSecrets,
)
from portico.oauth.permissions import OAuthPermission
from portico.oauth.routes.admin_clients import CARRIES_SECRET, rotated_answer, shown, wish_of
from portico.oauth.schemas.clients import (
    ClientResponse,
    ClientSummaryResponse,
    CreateOrganizationClientRequest,
    OwnClientListQuery,
    UpdateOrganizationClientRequest,
)
from portico.oauth.schemas.secrets import IssuedSecretResponse, RotateSecretRequest
from portico.oauth.types import ClientFilter
from portico.sessions.dependencies import fresh_principal

router = APIRouter(
    prefix="/organizations/{organization_id}/oauth/clients",
    tags=["oauth clients"],
    dependencies=[Depends(fresh_principal)],
)

ROUTE = "GET /organizations/{organization_id}/oauth/clients"
READS = Depends(requires(OAuthPermission.CLIENT_READ))
MANAGES = Depends(requires(OAuthPermission.CLIENT_MANAGE))
MAKES = Depends(requires(OAuthPermission.CLIENT_MANAGE, when=FRESH))


@router.get(
    "",
    dependencies=[READS],
    responses=describes(CursorInvalid, OrganizationNotFound),
    summary="List an organization's OAuth clients",
)
async def list_clients(
    organization_id: UUID, query: Annotated[OwnClientListQuery, Query()], clients: ClientAdministrationDep
) -> Page[ClientSummaryResponse]:
    """Return one page of the organization's own clients, the newest first."""
    wanted = ClientFilter(organization_id=organization_id, disabled=query.disabled)
    return await clients.list_clients(query, wanted, route=f"{ROUTE} {organization_id}")


@router.post(
    "",
    status_code=201,
    dependencies=[MAKES, CARRIES_SECRET],
    responses=describes(ClientMetadataInvalid, TooManyClients, OrganizationNotFound, SignInTooOld),
    summary="Register an OAuth client of an organization",
)
async def create_client(
    organization_id: UUID,
    body: CreateOrganizationClientRequest,
    response: Response,
    principal: PrincipalDep,
    clients: ClientAdministrationDep,
) -> ClientResponse:
    """Register a client of the organization; its secret, if it needs one, is shown this once.

    Needs a sign-in of the last ten minutes.
    """
    view = await clients.create_client(wish_of(body), actor=principal, organization_id=organization_id)
    response.headers["Location"] = f"/api/v1/organizations/{organization_id}/oauth/clients/{view.row.id}"
    return shown(view)


@router.get(
    "/{client_key}",
    dependencies=[READS],
    responses=describes(ClientNotFound, OrganizationNotFound),
    summary="See an OAuth client of an organization",
)
async def get_client(
    *,
    organization_id: UUID,
    client_key: UUID,
    response: Response,
    conditions: ConditionsDep,
    clients: ClientAdministrationDep,
) -> ClientResponse:
    """Return a client with its metadata, and its secrets without their texts."""
    view = await clients.get_client(client_key, organization_id=organization_id)
    conditions.answer(response, view.row.version)
    return shown(view)


@router.patch(
    "/{client_key}",
    dependencies=[MAKES, CARRIES_SECRET],
    responses=describes(
        ClientNotFound, ClientMetadataInvalid, OrganizationNotFound, PreconditionFailed, SignInTooOld
    ),
    summary="Change an OAuth client of an organization",
)
async def change_client(
    *,
    organization_id: UUID,
    client_key: UUID,
    body: UpdateOrganizationClientRequest,
    response: Response,
    conditions: ConditionsDep,
    principal: PrincipalDep,
    clients: ClientAdministrationDep,
) -> ClientResponse:
    """Change metadata or policy; what is not named stays."""
    view = await clients.change_client(
        client_key,
        wish_of(body),
        check_version=conditions.require,
        actor=principal,
        organization_id=organization_id,
    )
    conditions.answer(response, view.row.version)
    return shown(view)


@router.delete(
    "/{client_key}",
    status_code=204,
    dependencies=[MANAGES],
    responses=describes(ClientNotFound, OrganizationNotFound, PreconditionFailed),
    summary="Delete an OAuth client of an organization",
)
async def delete_client(
    *,
    organization_id: UUID,
    client_key: UUID,
    conditions: ConditionsDep,
    principal: PrincipalDep,
    clients: ClientAdministrationDep,
) -> None:
    """Delete a client; everything that was granted to it ends."""
    await clients.delete_client(
        client_key, check_version=conditions.require, actor=principal, organization_id=organization_id
    )


@router.post(
    "/{client_key}/disable",
    dependencies=[MANAGES],
    responses=describes(ClientNotFound, OrganizationNotFound),
    summary="Switch an OAuth client of an organization off",
)
async def disable_client(
    organization_id: UUID, client_key: UUID, principal: PrincipalDep, clients: ClientAdministrationDep
) -> ClientResponse:
    """Switch a client off and end everything that was granted to it; refused everywhere when this is answered."""
    return shown(await clients.disable_client(client_key, actor=principal, organization_id=organization_id))


@router.post(
    "/{client_key}/enable",
    dependencies=[MANAGES],
    responses=describes(ClientNotFound, OrganizationNotFound),
    summary="Switch an OAuth client of an organization on",
)
async def enable_client(
    organization_id: UUID, client_key: UUID, principal: PrincipalDep, clients: ClientAdministrationDep
) -> ClientResponse:
    """Switch a client on again; what was ended stays ended."""
    return shown(await clients.enable_client(client_key, actor=principal, organization_id=organization_id))


@router.post(
    "/{client_key}/secrets",
    status_code=201,
    dependencies=[MAKES, CARRIES_SECRET],
    responses=describes(
        ClientNotFound, OrganizationNotFound, ClientHasNoSecret, TooManyClientSecrets, SignInTooOld
    ),
    summary="Rotate the secret of an OAuth client of an organization",
)
async def rotate_secret(
    organization_id: UUID,
    client_key: UUID,
    principal: PrincipalDep,
    rotation: SecretRotationDep,
    body: Annotated[RotateSecretRequest | None, Body()] = None,
) -> IssuedSecretResponse:
    """Add a secret, shown this once; those before it stay good for a day, or for as long as the body says."""
    rotated = await rotation.rotate_secret(
        client_key,
        overlap=body.overlap() if body else None,
        actor=principal,
        organization_id=organization_id,
    )
    return rotated_answer(rotated)


@router.delete(
    "/{client_key}/secrets/{secret_id}",
    status_code=204,
    dependencies=[MANAGES],
    responses=describes(ClientNotFound, ClientSecretNotFound, OrganizationNotFound),
    summary="Delete a secret of an OAuth client of an organization",
)
async def remove_secret(
    *,
    organization_id: UUID,
    client_key: UUID,
    secret_id: UUID,
    principal: PrincipalDep,
    rotation: SecretRotationDep,
) -> None:
    """Delete a secret; it is refused everywhere when this is answered."""
    await rotation.remove_secret(client_key, secret_id, actor=principal, organization_id=organization_id)
