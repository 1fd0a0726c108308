"""Writing the trail, in the transaction of the act itself."""

from typing import Any
from uuid import UUID

from portico.audit.models import AuditEntry
from portico.audit.repositories import AuditRepository
from portico.audit.types import Outcome
from portico.core.context import current_request
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.runtime import Runtime


def record(
    runtime: Runtime,
    unit: Unit,
    action: str,
    *,
    outcome: Outcome = Outcome.SUCCESS,
    actor: Principal | UUID | None = None,
    subject: tuple[str, UUID] | None = None,
    session_id: UUID | None = None,
    reason: str | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Add an entry to the open transaction; without the commit there is no entry, and without the entry no act.

    `action` is dotted (`session.created`); `subject` is a type and an id. `details` must hold no secret and no
    personal data: ids, names of fields and counts.
    """
    principal = actor if isinstance(actor, Principal) else None
    request = current_request()
    AuditRepository(unit.session).add(
        AuditEntry(
            at=runtime.clock.now(),
            action=action,
            outcome=outcome,
            actor_id=_acting(actor),
            on_behalf_of_id=principal.id if principal and principal.actor_id else None,
            subject_type=subject[0] if subject else None,
            subject_id=subject[1] if subject else None,
            session_id=session_id or (principal.session_id if principal else None),
            client_address=request.client_address,
            user_agent=request.user_agent,
            request_id=request.request_id,
            reason=reason,
            details=details or {},
        )
    )


def _acting(actor: Principal | UUID | None) -> UUID | None:
    if isinstance(actor, Principal):
        return actor.actor_id or actor.id
    return actor
