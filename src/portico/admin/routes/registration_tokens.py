"""Registration tokens: invitations to sign up."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from portico.access.errors import RightsNotHeld
from portico.admin.dependencies import InvitationsDep, RegistrationTokensDep
from portico.admin.schemas import (
    CreateRegistrationTokenRequest,
    IssuedRegistrationTokenResponse,
    RegistrationTokenListQuery,
    RegistrationTokenResponse,
)
from portico.credentials.errors import RegistrationTokenNotFound
from portico.credentials.permissions import CredentialPermission
from portico.http.access import requires
from portico.http.dependencies import PrincipalDep
from portico.http.markers import without_idempotency
from portico.http.pagination import Page, Pagination
from portico.http.problems import describes

router = APIRouter(prefix="/registration-tokens")


@router.get(
    "",
    dependencies=[Depends(requires(CredentialPermission.INVITATION_READ))],
    summary="List registration tokens",
)
async def list_tokens(
    query: Annotated[RegistrationTokenListQuery, Query()], tokens: RegistrationTokensDep
) -> Page[RegistrationTokenResponse]:
    """Return one page of registration tokens, the newest first; never their secrets."""
    offset = (query.page - 1) * query.page_size
    found, total = await tokens.list_tokens(offset=offset, limit=query.page_size)
    pagination = Pagination(
        total=total,
        page=query.page,
        page_size=query.page_size,
        total_pages=-(-total // query.page_size),
        has_next=offset + len(found) < total,
        has_prev=query.page > 1,
        next_cursor=None,
    )
    return Page[RegistrationTokenResponse](
        data=[RegistrationTokenResponse.model_validate(each) for each in found], pagination=pagination
    )


@router.post(
    "",
    status_code=201,
    dependencies=[
        Depends(requires(CredentialPermission.INVITATION_CREATE)),
        Depends(without_idempotency),  # the answer carries a secret
    ],
    responses=describes(RightsNotHeld),
    summary="Make a registration token",
)
async def create_token(
    body: CreateRegistrationTokenRequest, principal: PrincipalDep, invitations: InvitationsDep
) -> IssuedRegistrationTokenResponse:
    """Make a registration token; its secret is shown this once."""
    issued = await invitations.create_token(
        actor=principal,
        note=body.note,
        role=body.role,
        max_uses=body.max_uses,
        ttl=timedelta(days=body.expires_in_days) if body.expires_in_days is not None else None,
    )
    return IssuedRegistrationTokenResponse.model_validate(issued)


@router.delete(
    "/{token_id}",
    status_code=204,
    dependencies=[Depends(requires(CredentialPermission.INVITATION_REVOKE))],
    responses=describes(RegistrationTokenNotFound),
    summary="Withdraw a registration token",
)
async def revoke_token(token_id: UUID, principal: PrincipalDep, tokens: RegistrationTokensDep) -> None:
    """Withdraw a registration token; who signed up with it stays."""
    await tokens.revoke_token(token_id, actor=principal)
