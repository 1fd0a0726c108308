"""What was granted to a client, as its administrators see it."""

from datetime import datetime
from typing import Self
from uuid import UUID

from portico.http.pagination import PageQuery, SortOrder
from portico.http.schemas import ResponseModel
from portico.oauth.models import OAuthGrant
from portico.oauth.types import ClientSort, GrantEnd, GrantType


class GrantListQuery(PageQuery):
    """Which grants of a client, the newest first."""

    sort_by: ClientSort = ClientSort.CREATED_AT
    """What to sort by."""
    sort_order: SortOrder = SortOrder.DESC
    """Which end comes first."""
    living: bool | None = None
    """Only those that are not over, or only those that are."""


class ClientGrantResponse(ResponseModel):
    """Something that was granted to a client; never a token."""

    id: UUID
    user_id: UUID | None
    """Who gave it; null where the client acts for itself."""
    organization_id: UUID | None
    kind: GrantType
    scope: str
    resources: list[str]
    is_offline: bool
    """Whether it outlives the session in which it was given."""
    created_at: datetime
    last_used_at: datetime | None
    ended_at: datetime | None
    ended_reason: GrantEnd | None

    @classmethod
    def of(cls, row: OAuthGrant) -> Self:
        """Return a grant as administrators see it."""
        return cls.model_validate(row)
