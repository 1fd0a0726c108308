"""All clients of the deployment, for its administrators: `/admin/oauth/clients`, and leave to register some."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query, Response

from portico.core.errors import PreconditionFailed
from portico.http.access import SignInTooOld, requires
from portico.http.dependencies import PrincipalDep
from portico.http.errors import CursorInvalid
from portico.http.etags import ConditionsDep
from portico.http.markers import without_idempotency
from portico.http.pagination import Page
from portico.http.problems import describes
from portico.oauth.dependencies import FRESH, ClientAdministrationDep, InitialTokensDep, SecretRotationDep
from portico.oauth.errors import (
    ClientDescribesItself,
    ClientHasNoSecret,
    ClientMetadataInvalid,
    ClientNotFound,
    ClientSecretNotFound,
    InitialTokenNotFound,
    TooManyClientSecrets,
)
from portico.oauth.permissions import OAuthPermission
from portico.oauth.schemas.clients import (
    ClientListQuery,
    ClientResponse,
    ClientSummaryResponse,
    CreateClientRequest,
    CreateOrganizationClientRequest,
    UpdateClientRequest,
    UpdateOrganizationClientRequest,
)
from portico.oauth.schemas.grants import ClientGrantResponse, GrantListQuery
from portico.oauth.schemas.initial_tokens import (
    CreateInitialTokenRequest,
    InitialTokenResponse,
    InitialTokensResponse,
    IssuedInitialTokenResponse,
)
from portico.oauth.schemas.secrets import IssuedSecretResponse, RotateSecretRequest, ends_at, secret_of
from portico.oauth.services.client_administration import ClientView, ClientWish
from portico.oauth.services.secret_rotation import Rotated
from portico.oauth.types import ClientFilter
from portico.sessions.dependencies import fresh_principal

router = APIRouter(prefix="/admin/oauth", tags=["oauth clients"], dependencies=[Depends(fresh_principal)])

ROUTE = "GET /admin/oauth/clients"
READS = Depends(requires(OAuthPermission.PLATFORM_READ))
MANAGES = Depends(requires(OAuthPermission.PLATFORM_MANAGE))
MAKES = Depends(requires(OAuthPermission.PLATFORM_MANAGE, when=FRESH))
CARRIES_SECRET = Depends(without_idempotency)


def shown(view: ClientView) -> ClientResponse:
    """Return a client as its administrators see it, with its new secret if it has one."""
    return ClientResponse.of(view.row, [secret_of(each) for each in view.secrets], view.issued)


def wish_of(
    body: CreateClientRequest
    | UpdateClientRequest
    | CreateOrganizationClientRequest
    | UpdateOrganizationClientRequest,
) -> ClientWish:
    """Return what a request wishes a client to be; one that is there keeps what is not named."""
    kind = body.kind if isinstance(body, CreateClientRequest | CreateOrganizationClientRequest) else None
    policy = body.policy.sent() if body.policy else {}
    return ClientWish(metadata=body.metadata(), policy=policy, kind=kind)


def rotated_answer(rotated: Rotated) -> IssuedSecretResponse:
    """Return a new secret as whoever asked for it gets to see it."""
    return IssuedSecretResponse(
        client_id=rotated.client_id,
        client_secret=rotated.secret.text,
        client_secret_expires_at=ends_at(rotated.secret),
        previous_until=rotated.previous_until,
    )


@router.get(
    "/clients", dependencies=[READS], responses=describes(CursorInvalid), summary="List OAuth clients"
)
async def list_clients(
    query: Annotated[ClientListQuery, Query()], clients: ClientAdministrationDep
) -> Page[ClientSummaryResponse]:
    """Return one page of all clients, wherever they come from, the newest first."""
    wanted = ClientFilter(source=query.source, organization_id=query.organization_id, disabled=query.disabled)
    return await clients.list_clients(query, wanted, route=ROUTE)


@router.post(
    "/clients",
    status_code=201,
    dependencies=[MAKES, CARRIES_SECRET],
    responses=describes(ClientMetadataInvalid, SignInTooOld),
    summary="Register an OAuth client",
)
async def create_client(
    body: CreateClientRequest, response: Response, principal: PrincipalDep, clients: ClientAdministrationDep
) -> ClientResponse:
    """Register a client; its secret, if it needs one, is shown this once. Needs a sign-in of the last ten minutes."""
    view = await clients.create_client(wish_of(body), actor=principal)
    response.headers["Location"] = f"/api/v1/admin/oauth/clients/{view.row.id}"
    return shown(view)


@router.get(
    "/clients/{client_key}",
    dependencies=[READS],
    responses=describes(ClientNotFound),
    summary="See an OAuth client",
)
async def get_client(
    client_key: UUID, response: Response, conditions: ConditionsDep, clients: ClientAdministrationDep
) -> ClientResponse:
    """Return a client with its metadata, its policy, and its secrets without their texts."""
    view = await clients.get_client(client_key)
    conditions.answer(response, view.row.version)
    return shown(view)


@router.patch(
    "/clients/{client_key}",
    dependencies=[MAKES, CARRIES_SECRET],
    responses=describes(
        ClientNotFound, ClientMetadataInvalid, ClientDescribesItself, PreconditionFailed, SignInTooOld
    ),
    summary="Change an OAuth client",
)
async def change_client(
    *,
    client_key: UUID,
    body: UpdateClientRequest,
    response: Response,
    conditions: ConditionsDep,
    principal: PrincipalDep,
    clients: ClientAdministrationDep,
) -> ClientResponse:
    """Change metadata or policy; what is not named stays. Clients that describe themselves keep their metadata."""
    view = await clients.change_client(
        client_key, wish_of(body), check_version=conditions.require, actor=principal
    )
    conditions.answer(response, view.row.version)
    return shown(view)


@router.delete(
    "/clients/{client_key}",
    status_code=204,
    dependencies=[MANAGES],
    responses=describes(ClientNotFound, PreconditionFailed),
    summary="Delete an OAuth client",
)
async def delete_client(
    client_key: UUID, conditions: ConditionsDep, principal: PrincipalDep, clients: ClientAdministrationDep
) -> None:
    """Delete a client; everything that was granted to it ends."""
    await clients.delete_client(client_key, check_version=conditions.require, actor=principal)


@router.post(
    "/clients/{client_key}/disable",
    dependencies=[MANAGES],
    responses=describes(ClientNotFound),
    summary="Switch an OAuth client off",
)
async def disable_client(
    client_key: UUID, principal: PrincipalDep, clients: ClientAdministrationDep
) -> ClientResponse:
    """Switch a client off and end everything that was granted to it; refused everywhere when this is answered."""
    return shown(await clients.disable_client(client_key, actor=principal))


@router.post(
    "/clients/{client_key}/enable",
    dependencies=[MANAGES],
    responses=describes(ClientNotFound),
    summary="Switch an OAuth client on",
)
async def enable_client(
    client_key: UUID, principal: PrincipalDep, clients: ClientAdministrationDep
) -> ClientResponse:
    """Switch a client on again; what was ended stays ended."""
    return shown(await clients.enable_client(client_key, actor=principal))


@router.post(
    "/clients/{client_key}/secrets",
    status_code=201,
    dependencies=[MAKES, CARRIES_SECRET],
    responses=describes(ClientNotFound, ClientHasNoSecret, TooManyClientSecrets, SignInTooOld),
    summary="Rotate the secret of an OAuth client",
)
async def rotate_secret(
    client_key: UUID,
    principal: PrincipalDep,
    rotation: SecretRotationDep,
    body: Annotated[RotateSecretRequest | None, Body()] = None,
) -> IssuedSecretResponse:
    """Add a secret, shown this once; those before it stay good for a day, or for as long as the body says."""
    overlap = body.overlap() if body else None
    return rotated_answer(await rotation.rotate_secret(client_key, overlap=overlap, actor=principal))


@router.delete(
    "/clients/{client_key}/secrets/{secret_id}",
    status_code=204,
    dependencies=[MANAGES],
    responses=describes(ClientNotFound, ClientSecretNotFound),
    summary="Delete a secret of an OAuth client",
)
async def remove_secret(
    client_key: UUID, secret_id: UUID, principal: PrincipalDep, rotation: SecretRotationDep
) -> None:
    """Delete a secret; it is refused everywhere when this is answered."""
    await rotation.remove_secret(client_key, secret_id, actor=principal)


@router.get(
    "/clients/{client_key}/grants",
    dependencies=[READS],
    responses=describes(ClientNotFound, CursorInvalid),
    summary="List what was granted to an OAuth client",
)
async def list_grants(
    client_key: UUID, query: Annotated[GrantListQuery, Query()], clients: ClientAdministrationDep
) -> Page[ClientGrantResponse]:
    """Return one page of the grants of a client, the newest first; `pagination.total` counts them."""
    route = f"{ROUTE}/{client_key}/grants"
    return await clients.list_grants(client_key, query, living=query.living, route=route)


@router.get("/initial-tokens", dependencies=[READS], summary="List initial access tokens")
async def list_initial_tokens(tokens: InitialTokensDep) -> InitialTokensResponse:
    """Return the tokens with which clients may be registered, the newest first, without their texts."""
    found = await tokens.list_tokens()
    return InitialTokensResponse(data=[InitialTokenResponse.model_validate(each) for each in found])


@router.post(
    "/initial-tokens",
    status_code=201,
    dependencies=[MAKES, CARRIES_SECRET],
    responses=describes(SignInTooOld),
    summary="Make an initial access token",
)
async def create_initial_token(
    body: CreateInitialTokenRequest, principal: PrincipalDep, tokens: InitialTokensDep
) -> IssuedInitialTokenResponse:
    """Give somebody leave to register clients at `/oauth/register`; the token is shown this once."""
    lifetime = timedelta(hours=body.lifetime_hours)
    made = await tokens.make_token(body.name, uses=body.uses, lifetime=lifetime, actor=principal)
    return IssuedInitialTokenResponse.issued(made)


@router.delete(
    "/initial-tokens/{initial_token_id}",
    status_code=204,
    dependencies=[MANAGES],
    responses=describes(InitialTokenNotFound),
    summary="Revoke an initial access token",
)
async def revoke_initial_token(
    initial_token_id: UUID, principal: PrincipalDep, tokens: InitialTokensDep
) -> None:
    """Let nobody register with a token any more; clients that were registered with it stay."""
    if not await tokens.revoke_token(initial_token_id, actor=principal):
        raise InitialTokenNotFound
