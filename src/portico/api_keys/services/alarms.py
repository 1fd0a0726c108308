"""What is put on the trail though the caller is refused: a honeytoken, and a good key at a foreign address.

At most once a minute for each key and address: whoever knocks without end does not fill the trail. The address itself
stands in the entry by itself, like that of every request.
"""

from typing import Final
from uuid import UUID

from portico.api_keys.events import HoneytokenUsed
from portico.api_keys.types import KeyFault
from portico.audit.services import record
from portico.audit.types import Outcome
from portico.coordination.counters import Counters, Window
from portico.core.context import current_request
from portico.http.authentication import Principal
from portico.messaging import EventBus
from portico.runtime import Runtime

ONCE_A_MINUTE: Final = (Window(1, 60, "minute"),)


class Alarms:
    """Writes what a refused key tells, in units of its own."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def ring(self, key_id: UUID) -> None:
        """Tell that somebody tried a honeytoken."""
        if not await self._is_news("honeytoken", key_id):
            return
        runtime = self._runtime
        async with (unit := runtime.unit()):
            record(
                runtime,
                unit,
                "api_key.honeytoken_used",
                outcome=Outcome.REFUSED,
                subject=("api_key", key_id),
                reason=KeyFault.HONEYTOKEN.value,
            )
            await runtime.get(EventBus).emit(HoneytokenUsed(at=runtime.clock.now(), key_id=key_id), unit)

    async def note_foreign_address(self, holder: Principal) -> None:
        """Tell that a good key was tried from an address that is not on its list: most likely it was stolen."""
        key_id = holder.credential_id
        if key_id is None or not await self._is_news("foreign", key_id):
            return
        async with (unit := self._runtime.unit()):
            record(
                self._runtime,
                unit,
                "api_key.refused",
                outcome=Outcome.REFUSED,
                actor=holder,
                subject=("api_key", key_id),
                organization_id=holder.organization_id,
                reason=KeyFault.NETWORK.value,
            )

    async def _is_news(self, what: str, key_id: UUID) -> bool:
        address = current_request().client_address or "unknown"
        verdict = await self._runtime.get(Counters).hit(f"api-key-{what}:{key_id}:{address}", ONCE_A_MINUTE)
        return verdict.allowed
