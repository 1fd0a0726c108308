"""What is asked of the trail, and what it answers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from portico.audit.types import Outcome, TrailFilter, TrailSort
from portico.http.pagination import PageQuery, SortOrder
from portico.http.schemas import Moment, ResponseModel


class OrganizationTrailQuery(PageQuery):
    """Which entries of an organization's trail, the newest first. `q` is looked for in the action."""

    sort_by: TrailSort = TrailSort.AT
    """What to sort by."""
    sort_order: SortOrder = SortOrder.DESC
    """Which end comes first."""
    action: str | None = Field(None, min_length=1, max_length=80)
    """Only this action, such as `session.created`."""
    action_prefix: str | None = Field(None, min_length=1, max_length=80)
    """Only actions that begin so, such as `session.`."""
    outcome: Outcome | None = None
    """Only acts that ended so."""
    actor_id: UUID | None = None
    """Only acts of this principal."""
    subject_id: UUID | None = None
    """Only acts on this thing."""
    subject_type: str | None = Field(None, min_length=1, max_length=40)
    """Only acts on things of this type, such as `user`."""
    request_id: str | None = Field(None, min_length=1, max_length=128)
    """Only what happened in this request."""
    since: Moment | None = None
    """Only entries from this time on."""
    until: Moment | None = None
    """Only entries before this time."""

    def filter_in(self, organization_id: UUID | None) -> TrailFilter:
        """Return the filters, in one organization or everywhere."""
        return TrailFilter(
            organization_id=organization_id,
            actor_id=self.actor_id,
            subject_id=self.subject_id,
            subject_type=self.subject_type,
            action=self.action,
            action_prefix=self.action_prefix,
            outcome=self.outcome,
            request_id=self.request_id,
            since=self.since,
            until=self.until,
            q=self.q,
        )


class TrailQuery(OrganizationTrailQuery):
    """Which entries of the whole trail, the newest first. `q` is looked for in the action."""

    organization_id: UUID | None = None
    """Only entries of this organization."""

    @property
    def filter(self) -> TrailFilter:
        """Return the filters."""
        return self.filter_in(self.organization_id)


class TrailEntryResponse(ResponseModel):
    """One line of the trail. What is personal is null once the person was erased."""

    id: UUID
    at: datetime
    action: str
    outcome: Outcome
    organization_id: UUID | None
    actor_id: UUID | None
    on_behalf_of_id: UUID | None
    subject_type: str | None
    subject_id: UUID | None
    session_id: UUID | None
    credential_id: UUID | None
    client_address: str | None
    user_agent: str | None
    request_id: str | None
    reason: str | None
    details: dict[str, Any]
    changes: dict[str, Any] | None
    """What changed: by name the value before and the value after."""
    personal: dict[str, Any] | None
    """What is known of persons besides ids, as long as it may be."""
