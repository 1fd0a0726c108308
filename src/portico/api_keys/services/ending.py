"""Ends keys: rows, caches on every node, trail and event. Order of locks: tenant, person, keys."""

from uuid import UUID

from portico.api_keys.events import ApiKeyRevoked
from portico.api_keys.repositories import KeyRepository
from portico.api_keys.repositories.keys import fitting
from portico.api_keys.types import KeyEnd, KeyKind
from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.messaging import EventBus
from portico.runtime import Runtime


class KeyEnding:
    """Ends keys inside the open unit; whoever calls has checked that it may be done."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def end(
        self,
        *,
        reason: KeyEnd,
        key_id: UUID | None = None,
        principal_id: UUID | None = None,
        organization_id: UUID | None = None,
        created_by: UUID | None = None,
        kind: KeyKind | None = None,
        actor: Principal | UUID | None = None,
    ) -> int:
        """End the keys that fit all that is given; return how many were not ended before.

        By the time the commit is answered, they are refused on every node.
        """
        runtime, unit = self._runtime, self._unit
        where = fitting(
            key_id=key_id,
            principal_id=principal_id,
            organization_id=organization_id,
            created_by=created_by,
            kind=kind,
        )
        now = runtime.clock.now()
        ended = await KeyRepository(unit.session).end(where, now, reason)
        await runtime.get(RevocationLog).append(unit, [f"api_key:{key_id}" for key_id, _ in ended])
        for ended_id, where_good in ended:
            record(
                runtime,
                unit,
                "api_key.revoked",
                actor=actor,
                subject=("api_key", ended_id),
                organization_id=where_good,
                reason=reason.value,
            )
            event = ApiKeyRevoked(at=now, key_id=ended_id, organization_id=where_good, reason=reason)
            await runtime.get(EventBus).emit(event, unit)
        return len(ended)
