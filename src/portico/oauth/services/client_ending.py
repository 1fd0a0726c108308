"""Deleting clients: whatever they were granted ends first, on every node."""

from uuid import UUID

from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.messaging import EventBus
from portico.oauth.events import ClientDeleted
from portico.oauth.repositories import RegistrationRepository
from portico.oauth.services.grants import Grants
from portico.oauth.types import GrantEnd
from portico.runtime import Runtime


async def delete_client(
    runtime: Runtime,
    unit: Unit,
    key: UUID,
    client_id: str,
    *,
    organization_id: UUID | None = None,
    reason: GrantEnd = GrantEnd.CLIENT_DISABLED,
    actor: Principal | None = None,
) -> None:
    """Delete a client with its secrets, consents and grants, in the open transaction; `ClientDeleted` leaves."""
    await Grants(runtime, unit).end_of_client(key, reason, actor=actor)
    await unit.settle()
    await RegistrationRepository(unit.session).remove_principal(key)
    await note_deletion(runtime, unit, key, client_id, organization_id=organization_id, actor=actor)


async def note_deletion(
    runtime: Runtime,
    unit: Unit,
    key: UUID,
    client_id: str,
    *,
    organization_id: UUID | None = None,
    reason: str | None = None,
    actor: Principal | None = None,
) -> None:
    """Tell everybody of a client that is deleted in the open transaction: memories, the trail, `ClientDeleted`."""
    await runtime.get(RevocationLog).append(unit, [f"client:{key}"])
    record(
        runtime,
        unit,
        "oauth.client.deleted",
        actor=actor,
        subject=("oauth_client", key),
        organization_id=organization_id,
        reason=reason,
        details={"client_id": client_id},
    )
    event = ClientDeleted(at=runtime.clock.now(), client_key=key, client_id=client_id)
    await runtime.get(EventBus).emit(event, unit)
