"""The API of invitations: those that an organization sends, and those that the caller got.

No answer carries a secret: it stands in the mail only.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from portico.access.errors import RightsNotHeld, RoleNotFound
from portico.access.services import rights_in
from portico.core.ids import OrganizationId, UserId
from portico.credentials.errors import InvitationInvalid
from portico.http.access import OrganizationDisabled, OrganizationNotFound, requires
from portico.http.dependencies import PrincipalDep, RuntimeDep, service
from portico.http.errors import CursorInvalid
from portico.http.markers import limited, without_idempotency
from portico.http.pagination import Page
from portico.http.problems import describes
from portico.organizations.errors import (
    AddressUnproven,
    AlreadyInvited,
    AlreadyMember,
    InvitationElsewhere,
    InvitationNotFound,
    InvitationOver,
    InvitationsLimited,
    InvitationVoid,
    TeamNotFound,
    TooManyInvitations,
)
from portico.organizations.permissions import OrganizationPermission
from portico.organizations.schemas.invitations import (
    InvitationListQuery,
    InvitationResponse,
    InvitationTokenRequest,
    InviteRequest,
    JoinedResponse,
    OfferResponse,
    OffersResponse,
)
from portico.organizations.services.invitation_answers import InvitationAnswers
from portico.organizations.services.invitations import Invitations, NewInvitation
from portico.runtime import Runtime
from portico.users.addresses import parse_address
from portico.users.errors import EmailMalformed

InvitationsDep = Annotated[Invitations, Depends(service(Invitations))]
AnswersDep = Annotated[InvitationAnswers, Depends(service(InvitationAnswers))]

OF_ORGANIZATION = (OrganizationNotFound, OrganizationDisabled)
NOT_OPEN = (OrganizationNotFound, InvitationVoid, AlreadyMember, InvitationOver)

router = APIRouter(tags=["invitations"])


@router.get(
    "/organizations/{organization_id}/invitations",
    dependencies=[Depends(requires(OrganizationPermission.MEMBER_INVITE))],
    responses=describes(*OF_ORGANIZATION, CursorInvalid),
    summary="List invitations",
)
async def list_invitations(
    organization_id: UUID, query: Annotated[InvitationListQuery, Query()], invitations: InvitationsDep
) -> Page[InvitationResponse]:
    """Return one page of the organization's invitations, the newest first."""
    page = await invitations.list_invitations(OrganizationId(organization_id), query)
    return Page[InvitationResponse](
        data=[InvitationResponse.of(facts) for facts in page.data], pagination=page.pagination
    )


@router.post(
    "/organizations/{organization_id}/invitations",
    status_code=201,
    dependencies=[Depends(requires(OrganizationPermission.MEMBER_INVITE))],
    responses=describes(
        *OF_ORGANIZATION,
        RoleNotFound,
        TeamNotFound,
        RightsNotHeld,
        AlreadyInvited,
        AlreadyMember,
        TooManyInvitations,
        InvitationsLimited,
        EmailMalformed,
    ),
    summary="Invite somebody",
)
async def invite(
    organization_id: UUID,
    body: InviteRequest,
    response: Response,
    principal: PrincipalDep,
    invitations: InvitationsDep,
) -> InvitationResponse:
    """Mail an invitation. The answer is the same whether or not somebody has an account with the address."""
    new = NewInvitation(email=parse_address(body.email), roles=body.roles, teams=body.teams)
    facts = await invitations.invite(OrganizationId(organization_id), new, actor=principal)
    response.headers["Location"] = f"/api/v1/organizations/{organization_id}/invitations/{facts.id}"
    return InvitationResponse.of(facts)


@router.get(
    "/organizations/{organization_id}/invitations/{invitation_id}",
    dependencies=[Depends(requires(OrganizationPermission.MEMBER_INVITE))],
    responses=describes(*OF_ORGANIZATION, InvitationNotFound),
    summary="See an invitation",
)
async def get_invitation(
    organization_id: UUID, invitation_id: UUID, invitations: InvitationsDep
) -> InvitationResponse:
    """Return an invitation, whatever became of it."""
    facts = await invitations.get_invitation(OrganizationId(organization_id), invitation_id)
    return InvitationResponse.of(facts)


@router.delete(
    "/organizations/{organization_id}/invitations/{invitation_id}",
    status_code=204,
    dependencies=[Depends(requires(OrganizationPermission.MEMBER_INVITE))],
    responses=describes(*OF_ORGANIZATION, InvitationNotFound, InvitationOver),
    summary="Withdraw an invitation",
)
async def revoke_invitation(
    organization_id: UUID, invitation_id: UUID, principal: PrincipalDep, invitations: InvitationsDep
) -> None:
    """Withdraw an invitation that nobody has answered; its link is dead."""
    await invitations.revoke(OrganizationId(organization_id), invitation_id, actor=principal)


@router.post(
    "/organizations/{organization_id}/invitations/{invitation_id}/resend",
    dependencies=[Depends(requires(OrganizationPermission.MEMBER_INVITE))],
    responses=describes(
        *OF_ORGANIZATION, InvitationNotFound, RoleNotFound, RightsNotHeld, InvitationOver, InvitationsLimited
    ),
    summary="Send an invitation again",
)
async def resend_invitation(
    organization_id: UUID, invitation_id: UUID, principal: PrincipalDep, invitations: InvitationsDep
) -> InvitationResponse:
    """Mail a new link, good for the whole time; that of the earlier mail is dead. Also where it has expired."""
    facts = await invitations.resend(OrganizationId(organization_id), invitation_id, actor=principal)
    return InvitationResponse.of(facts)


@router.get(
    "/invitations",
    dependencies=[Depends(requires(OrganizationPermission.LIST_OWN))],
    summary="List one's own invitations",
)
async def list_offers(principal: PrincipalDep, answers: AnswersDep) -> OffersResponse:
    """Return the open invitations to the caller's address; none where nobody has confirmed it."""
    offers = await answers.list_offers(UserId(principal.id))
    return OffersResponse(data=[OfferResponse.of(offer) for offer in offers])


@router.post(
    "/invitations/accept",
    dependencies=[
        Depends(requires(OrganizationPermission.JOIN)),
        Depends(limited("sign_in")),
        Depends(without_idempotency),  # the body carries a secret
    ],
    responses=describes(InvitationInvalid, InvitationElsewhere, AddressUnproven, *NOT_OPEN),
    summary="Accept an invitation by its link",
)
async def accept_by_token(
    body: InvitationTokenRequest, principal: PrincipalDep, answers: AnswersDep, runtime: RuntimeDep
) -> JoinedResponse:
    """Become a member by the secret of a mail. The address that it was sent to is the caller's, and confirmed."""
    token = body.token.get_secret_value()
    return await _joined(runtime, principal.id, await answers.accept_by_token(token, principal=principal))


@router.post(
    "/invitations/decline",
    status_code=204,
    dependencies=[
        Depends(requires(OrganizationPermission.JOIN)),
        Depends(limited("sign_in")),
        Depends(without_idempotency),  # the body carries a secret
    ],
    responses=describes(InvitationInvalid, InvitationElsewhere, AddressUnproven, InvitationOver),
    summary="Decline an invitation by its link",
)
async def decline_by_token(
    body: InvitationTokenRequest, principal: PrincipalDep, answers: AnswersDep
) -> None:
    """Answer no, for good."""
    await answers.decline_by_token(body.token.get_secret_value(), principal=principal)


@router.post(
    "/invitations/{invitation_id}/accept",
    dependencies=[Depends(requires(OrganizationPermission.JOIN))],
    responses=describes(InvitationNotFound, *NOT_OPEN),
    summary="Accept an invitation",
)
async def accept(
    invitation_id: UUID, principal: PrincipalDep, answers: AnswersDep, runtime: RuntimeDep
) -> JoinedResponse:
    """Become a member by an invitation to the caller's confirmed address."""
    return await _joined(runtime, principal.id, await answers.accept(invitation_id, principal=principal))


@router.post(
    "/invitations/{invitation_id}/decline",
    status_code=204,
    dependencies=[Depends(requires(OrganizationPermission.JOIN))],
    responses=describes(InvitationNotFound, OrganizationNotFound, InvitationOver),
    summary="Decline an invitation",
)
async def decline(invitation_id: UUID, principal: PrincipalDep, answers: AnswersDep) -> None:
    """Answer no, for good."""
    await answers.decline(invitation_id, principal=principal)


async def _joined(runtime: Runtime, user_id: UUID, organization_id: OrganizationId) -> JoinedResponse:
    rights = await rights_in(runtime, user_id, organization_id, fresh=True)
    return JoinedResponse(organization_id=organization_id, roles=list(rights.roles) if rights else [])
