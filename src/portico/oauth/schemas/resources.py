"""APIs that tokens can be asked for."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, Field

from portico.http.pagination import PageQuery, SortOrder
from portico.http.schemas import RequestModel, ResponseModel
from portico.oauth.models import OAuthResource
from portico.oauth.protocol.scopes import MAX_SCOPE
from portico.oauth.schemas.values import MOST_RESOURCES, Format, Scopes, TokenSeconds, Url, readable
from portico.oauth.types import ClientSort, TokenFormat


class ResourceListQuery(PageQuery):
    """Which resources, the newest first. `q` is looked for in name and identifier."""

    sort_by: ClientSort = ClientSort.CREATED_AT
    """What to sort by."""
    sort_order: SortOrder = SortOrder.DESC
    """Which end comes first."""


class ResourceMembers(RequestModel):
    """What is said of an API."""

    name: Annotated[str, Field(max_length=200), AfterValidator(readable)] = ""
    """What people read."""
    scopes: Scopes = Field(default={})
    """Scope to what it means in plain words."""
    default_scope: Annotated[str, Field(max_length=MAX_SCOPE)] = ""
    """What a request without `scope` gets; all scopes if empty."""
    token_format: Format | None = None
    """What its tokens look like, whatever the client's setting says."""
    access_token_seconds: TokenSeconds | None = None
    requires_dpop: bool = False
    """Whether tokens for it must be bound to a key of the client's."""
    introspected_by: Annotated[list[Url], Field(max_length=MOST_RESOURCES)] = Field(default=[])
    """Client ids that may ask about its tokens."""

    def sent(self) -> dict[str, Any]:
        """Return the fields that the request names."""
        return self.model_dump(exclude_unset=True)


class CreateResourceRequest(ResourceMembers):
    """An API that tokens can be asked for."""

    identifier: Url
    """Its URL, and the audience of its tokens, as it stands here."""


class UpdateResourceRequest(ResourceMembers):
    """What of an API is changed. Its identifier cannot: tokens carry it."""


class ResourceResponse(ResponseModel):
    """An API that tokens can be asked for."""

    id: UUID
    identifier: str
    name: str
    scopes: dict[str, str]
    default_scope: str
    token_format: TokenFormat | None
    access_token_seconds: int | None
    requires_dpop: bool
    introspected_by: list[str]
    created_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, row: OAuthResource) -> Self:
        """Return an API as administrators see it."""
        return cls.model_validate(row)
