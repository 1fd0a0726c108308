"""Writing the trail, in the transaction of the act itself."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from portico.audit.recording import batch_of
from portico.audit.types import Outcome
from portico.core.context import RequestContext, acting_in, current_request
from portico.core.masking import MASK, is_secret_field
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.runtime import Runtime

NO_REQUEST = "-"


def record(
    runtime: Runtime,
    unit: Unit,
    action: str,
    *,
    outcome: Outcome = Outcome.SUCCESS,
    actor: Principal | UUID | None = None,
    subject: tuple[str, UUID] | None = None,
    organization_id: UUID | None = None,
    session_id: UUID | None = None,
    reason: str | None = None,
    details: dict[str, Any] | None = None,
    changes: Mapping[str, tuple[Any, Any]] | None = None,
    personal: Mapping[str, Any] | None = None,
) -> UUID:
    """Add an entry to the open transaction and return its id; without the commit there is no entry, and without the
    entry no act.

    `action` is dotted (`session.created`); `subject` is a type and an id. The entry stands on the trail of
    `organization_id`, else on the platform's. `details` and `changes` (by name, before and after) outlive everybody:
    ids, names of fields and counts, no secret and nothing personal. What is personal goes into `personal` and is
    erased with the person, as are the address and user agent of the request, which every entry takes down by itself.
    """
    principal = actor if isinstance(actor, Principal) else None
    actor_id, on_behalf_of_id = _identities(actor)
    request = current_request()
    return batch_of(runtime, unit).add(
        at=runtime.clock.now(),
        action=action,
        outcome=outcome,
        organization_id=organization_id,
        actor_id=actor_id,
        on_behalf_of_id=on_behalf_of_id,
        subject=subject,
        session_id=session_id or (principal.session_id if principal else None),
        credential_id=principal.credential_id if principal else None,
        request_id=None if request.request_id == NO_REQUEST else request.request_id,
        reason=reason,
        details=details,
        changes=_without_secrets(changes) if changes else None,
        personal=_personal(request, personal),
    )


def _identities(actor: Principal | UUID | None) -> tuple[UUID | None, UUID | None]:
    """Return who acts, and in whose name where that is somebody else; also where a job does it afterwards."""
    if actor is None:
        return None, None
    who = actor.id if isinstance(actor, Principal) else actor
    acting = (actor.actor_id if isinstance(actor, Principal) else None) or acting_in(who)
    return (who, None) if acting is None else (acting, who)


def _personal(request: RequestContext, given: Mapping[str, Any] | None) -> dict[str, Any]:
    personal = dict(given) if given else {}
    if request.client_address is not None:
        personal["client_address"] = request.client_address
    if request.user_agent is not None:
        personal["user_agent"] = request.user_agent
    return personal


def _without_secrets(changes: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    """Take the values of secrets out, should a caller forget; that they changed may be known."""
    return {
        name: [MASK, MASK] if is_secret_field(name) else [before, after]
        for name, (before, after) in changes.items()
    }
