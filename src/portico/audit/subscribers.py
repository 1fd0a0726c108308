"""What the floors below announce and the trail keeps; features above write their own entries."""

from portico.audit.services import record
from portico.db.unit import Unit
from portico.keys.events import SigningKeysRotated
from portico.runtime import Runtime


async def record_key_rotation(event: SigningKeysRotated, unit: Unit, runtime: Runtime) -> None:
    """Keep that a signing key got a successor, in the transaction of the rotation."""
    details = {
        "purpose": event.purpose.value,
        "kid": event.kid,
        "signs_from": event.signs_from.isoformat(),
        "retired": list(event.retired_kids),
    }
    record(runtime, unit, "key.rotated", details=details)
