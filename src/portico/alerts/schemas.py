"""Shapes of the alerts API."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from portico.alerts.types import AlertFilter, AlertSort, AlertStatus, Severity
from portico.http.pagination import PageQuery, SortOrder
from portico.http.schemas import Moment, RequestModel, ResponseModel

LONGEST_NOTE = 500


def _readable(text: str) -> str:
    if not text.replace("\n", "").isprintable():
        raise ValueError("must be text without control characters")
    return text


Note = Annotated[str, Field(min_length=1, max_length=LONGEST_NOTE), AfterValidator(_readable)]


class OrganizationAlertQuery(PageQuery):
    """Which alerts of an organization, the newest first. `q` is the name of a rule."""

    sort_by: AlertSort = AlertSort.RAISED_AT
    """What to sort by."""
    sort_order: SortOrder = SortOrder.DESC
    """Which end comes first."""
    status: AlertStatus | None = None
    """Only alerts with which people are this far."""
    severity: Severity | None = None
    """Only alerts of this severity."""
    rule: str | None = Field(None, min_length=1, max_length=60)
    """Only alerts of this rule, such as `failed_sign_ins`."""
    subject_id: UUID | None = None
    """Only alerts about this person or thing."""
    since: Moment | None = None
    """Only alerts raised from this time on."""
    until: Moment | None = None
    """Only alerts raised before this time."""

    def filter_in(self, organization_id: UUID | None) -> AlertFilter:
        """Return the filters, in one organization or everywhere."""
        return AlertFilter(
            organization_id=organization_id,
            subject_id=self.subject_id,
            rule=self.rule or self.q,
            severity=self.severity,
            status=self.status,
            since=self.since,
            until=self.until,
        )


class AlertQuery(OrganizationAlertQuery):
    """Which alerts of the deployment, the newest first. `q` is the name of a rule."""

    organization_id: UUID | None = None
    """Only alerts of this organization."""

    @property
    def filter(self) -> AlertFilter:
        """Return the filters."""
        return self.filter_in(self.organization_id)


class OwnAlertQuery(PageQuery):
    """Which of the caller's own alerts, the newest first. `q` is the name of a rule."""

    sort_by: AlertSort = AlertSort.RAISED_AT
    """What to sort by."""
    sort_order: SortOrder = SortOrder.DESC
    """Which end comes first."""
    status: AlertStatus | None = None
    """Only alerts with which people are this far."""


class ResolveAlertRequest(RequestModel):
    """That an alert is dealt with, and how."""

    note: Note | None = None
    """What was found out; nothing personal."""


class OwnAlertResponse(ResponseModel):
    """An alert about one's own account."""

    id: UUID
    rule: str
    title: str
    description: str
    severity: Severity
    status: AlertStatus
    count: int
    """How often it was heard: entries of the trail."""
    details: dict[str, Any]
    first_at: datetime
    last_at: datetime
    raised_at: datetime
    resolved_at: datetime | None


class AlertResponse(OwnAlertResponse):
    """An alert, for those who look after it. The entries are those of the trail that it began and went on with."""

    organization_id: UUID | None
    subject_type: str | None
    subject_id: UUID | None
    first_entry_id: UUID
    last_entry_id: UUID
    acknowledged_by: UUID | None
    acknowledged_at: datetime | None
    resolved_by: UUID | None
    note: str | None
