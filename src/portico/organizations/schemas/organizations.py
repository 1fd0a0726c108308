"""Shapes of organizations, their settings, and what the owner does with them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from portico.http.pagination import PageQuery, SortOrder
from portico.http.schemas import RequestModel, ResponseModel
from portico.organizations.types import OrganizationSort, OrganizationStatus

Name = Annotated[str, Field(min_length=1, max_length=240)]
SlugText = Annotated[str, Field(min_length=1, max_length=80)]
SHORTEST_SESSION = 300
LONGEST_SESSION = 366 * 24 * 3600


class OrganizationListQuery(PageQuery):
    """Which of one's own organizations, the first joined first. `q` is looked for in name and slug."""

    sort_by: OrganizationSort = OrganizationSort.CREATED_AT
    """What to sort by: when one joined."""
    deleted: bool = False
    """Those that are deleted and can still be restored."""


class AdminOrganizationListQuery(PageQuery):
    """Which organizations, the newest first. `q` is looked for in name and slug."""

    sort_by: OrganizationSort = OrganizationSort.CREATED_AT
    """What to sort by."""
    sort_order: SortOrder = SortOrder.DESC
    """Which end comes first."""
    status: OrganizationStatus | None = None
    """Only those that stand like this; by default all that are not deleted."""


class CreateOrganizationRequest(RequestModel):
    """A new organization; its maker owns it."""

    name: Name
    """What people call it."""
    slug: SlugText | None = None
    """A short name for addresses; made of the name if it is not given."""


class CreateOrganizationForRequest(CreateOrganizationRequest):
    """A new organization for somebody else."""

    owner_id: UUID = Field(strict=False)
    """The person who owns it."""


class UpdateOrganizationRequest(RequestModel):
    """What is sent is changed."""

    name: Name = ""
    slug: SlugText = ""

    def sent(self) -> dict[str, Any]:
        """Return the fields that the request names."""
        return self.model_dump(exclude_unset=True)


class RestoreOrganizationRequest(RequestModel):
    """A deleted organization is opened again."""

    slug: SlugText | None = None
    """Another short name, should somebody have taken the old one."""


class TransferOwnershipRequest(RequestModel):
    """Who owns the organization from now on."""

    user_id: UUID = Field(strict=False)
    """A member."""


class SwitchRequest(RequestModel):
    """In which organization the session works from now on."""

    organization_id: UUID | None = Field(strict=False)
    """Null: in none."""


class OrganizationResponse(ResponseModel):
    """An organization."""

    id: UUID
    name: str
    slug: str
    status: OrganizationStatus
    created_at: datetime
    updated_at: datetime
    disabled_at: datetime | None
    deleted_at: datetime | None
    version: int


class OwnOrganizationResponse(OrganizationResponse):
    """One of the caller's organizations."""

    roles: list[str]
    """What he is there: names of roles, or the ids of those that the organization made."""
    joined_at: datetime
    is_active: bool
    """The session works in this one."""


class OrganizationDetailsResponse(OrganizationResponse):
    """An organization, and what the caller may do in it."""

    roles: list[str]
    """The caller's roles, those of his teams included."""
    permissions: list[str]
    """What the caller holds there."""


class ActiveOrganizationResponse(ResponseModel):
    """In which organization the session works."""

    organization: OrganizationResponse | None


class SettingsRequest(RequestModel):
    """How one must sign in to act in the organization; what is sent is changed."""

    min_aal: int = Field(1, ge=1, le=3)
    """Assurance level of the sign-in (NIST SP 800-63B-4): 2 asks for a second factor."""
    methods: list[Annotated[str, Field(min_length=1, max_length=20)]] = Field(default=[], max_length=20)
    """Ways of signing in of which one must have been used, as in `amr` (RFC 8176); empty: any."""
    max_session_age: int | None = Field(None, ge=SHORTEST_SESSION, le=LONGEST_SESSION)
    """How many seconds ago one may have signed in at most; null: any time."""

    def sent(self) -> dict[str, Any]:
        """Return the fields that the request names."""
        return self.model_dump(exclude_unset=True)


class SettingsResponse(ResponseModel):
    """How one must sign in to act in the organization. API keys are not meant."""

    min_aal: int
    methods: list[str]
    max_session_age: int | None
    version: int
    """Of the organization."""
