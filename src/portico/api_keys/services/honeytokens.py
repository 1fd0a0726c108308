"""Keys that open nothing, laid where nobody honest looks: whoever tries one tells that he was there."""

from portico.api_keys.events import ApiKeyCreated
from portico.api_keys.models import ApiKey
from portico.api_keys.repositories import KeyRepository
from portico.api_keys.types import KEY_FORMAT, SHOWN_LENGTH, ApiKeyText, IssuedKey, KeyKind
from portico.audit.services import record
from portico.core.crypto import digest
from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.messaging import EventBus
from portico.runtime import Runtime


class Honeytokens:
    """Makes them."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def create_honeytoken(self, name: str, *, actor: Principal | None) -> IssuedKey:
        """Make one. It looks like any other key, has no holder and no end; `name` says where it was laid."""
        runtime, unit, now = self._runtime, self._unit, self._runtime.clock.now()
        text = ApiKeyText(KEY_FORMAT.make(runtime.entropy))
        row = ApiKey(
            id=new_id(),
            kind=KeyKind.HONEYTOKEN,
            name=name,
            secret_hash=digest(text),
            shown_prefix=text[:SHOWN_LENGTH],
            scopes=[],
            networks=[],
            created_by=actor.id if actor else None,
            use_count=0,
            used_today=0,
            created_at=now,
            updated_at=now,
        )
        async with unit:
            keys = KeyRepository(unit.session)
            keys.add(row)
            await keys.flush()
            details = {"kind": row.kind.value}
            record(
                runtime, unit, "api_key.created", actor=actor, subject=("api_key", row.id), details=details
            )
            event = ApiKeyCreated(
                at=now,
                key_id=row.id,
                kind=row.kind,
                principal_id=None,
                organization_id=None,
                created_by=row.created_by,
            )
            await runtime.get(EventBus).emit(event, unit)
        return IssuedKey(id=row.id, text=text, expires_at=None)
