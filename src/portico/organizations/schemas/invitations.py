"""Shapes of invitations: as the organization sees them, and as their guests do."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, SecretStr

from portico.access.types import OrganizationRole
from portico.http.pagination import PageQuery, SortOrder
from portico.http.schemas import RequestModel, ResponseModel
from portico.organizations.schemas.members import RoleText
from portico.organizations.types import InvitationFacts, InvitationSort, InvitationStatus, OfferedMembership
from portico.users.schemas import MAX_EMAIL

MAX_SECRET = 100
MEMBER = OrganizationRole.MEMBER.value


class InvitationListQuery(PageQuery):
    """Which invitations, the newest first. `q` is looked for in the address."""

    sort_by: InvitationSort = InvitationSort.CREATED_AT
    """What to sort by."""
    sort_order: SortOrder = SortOrder.DESC
    """Which end comes first."""
    status: InvitationStatus | None = None
    """Only those that stand like this."""


class InviteRequest(RequestModel):
    """Who is to join, and as what."""

    email: str = Field(min_length=1, max_length=MAX_EMAIL)
    """Where the invitation is mailed; only who owns this address can accept it."""
    roles: Annotated[list[RoleText], Field(min_length=1, max_length=20)] = Field(
        default_factory=lambda: [MEMBER]
    )
    """None that holds what the caller lacks."""
    teams: Annotated[list[Annotated[UUID, Field(strict=False)]], Field(max_length=20)] = Field(
        default_factory=list
    )
    """Teams of the organization into which he is put besides; none that holds what the caller lacks."""


class InvitationResponse(ResponseModel):
    """An invitation. Its secret stands in the mail and nowhere else."""

    id: UUID
    email: str
    roles: list[str]
    teams: list[UUID]
    status: InvitationStatus
    invited_by: UUID | None
    """Who answers for it: it counts as long as he may give these roles."""
    created_at: datetime
    sent_at: datetime
    """When the mail went out last; the links of earlier ones are dead."""
    sends: int
    expires_at: datetime
    accepted_by: UUID | None

    @classmethod
    def of(cls, facts: InvitationFacts) -> Self:
        """Make it of the value."""
        return cls.model_validate(facts)


class OfferResponse(ResponseModel):
    """An open invitation to the caller's address."""

    id: UUID
    organization_id: UUID
    organization_name: str
    organization_slug: str
    inviter: str | None
    """Who invites, by name; null where it is no person."""
    roles: list[str]
    role_titles: list[str]
    team_names: list[str]
    sent_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, offer: OfferedMembership) -> Self:
        """Make it of the value."""
        facts = offer.invitation
        return cls(
            id=facts.id,
            organization_id=facts.organization_id,
            organization_name=offer.organization_name,
            organization_slug=offer.organization_slug,
            inviter=offer.inviter,
            roles=list(facts.roles),
            role_titles=list(offer.role_titles),
            team_names=list(offer.team_names),
            sent_at=facts.sent_at,
            expires_at=facts.expires_at,
        )


class OffersResponse(ResponseModel):
    """The open invitations to the caller's proven address, the newest first."""

    data: list[OfferResponse]


class InvitationTokenRequest(RequestModel):
    """The secret of the link that was mailed."""

    token: SecretStr = Field(min_length=1, max_length=MAX_SECRET)


class JoinedResponse(ResponseModel):
    """Where the caller belongs from now on."""

    organization_id: UUID
    roles: list[str]
