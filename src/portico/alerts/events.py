"""What happens with alerts."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from portico.alerts.types import Severity
from portico.messaging import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityAlertRaised(Event):
    """Something on the trail looks like an attack; told once an alert, however often it goes on.

    `subject_type` and `subject_id` say whom or what it is about, where it is known; the entries tell the rest.
    """

    name: ClassVar[str] = "security.alert"

    alert_id: UUID
    rule: str
    severity: Severity
    organization_id: UUID | None
    subject_type: str | None
    subject_id: UUID | None
    count: int
    first_entry_id: UUID
    last_entry_id: UUID
