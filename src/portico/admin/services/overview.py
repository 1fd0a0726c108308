"""What administrators read of the deployment: figures and the trail; and the rotation of its keys."""

from portico.admin.repositories import PeopleRepository
from portico.admin.services.totals import Totals
from portico.admin.types import Statistics
from portico.audit.schemas import TrailQuery
from portico.audit.services import Trail, record
from portico.audit.types import TrailEntry
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.http.pagination import Page
from portico.keys.services import Rotated, rotate_keys
from portico.keys.types import KeyPurpose
from portico.runtime import Runtime


class Overview:
    """Figures, trail and keys of the deployment."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def statistics(self) -> Statistics:
        """Return the figures as of now."""
        async with self._runtime.reads() as reader:
            return await PeopleRepository(reader).statistics(self._runtime.clock.now())

    async def list_trail(self, query: TrailQuery) -> Page[TrailEntry]:
        """Return one page of the trail.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        return await Trail(self._runtime).list_entries(query, count_once=self._runtime.get(Totals).of)

    async def rotate_key(self, purpose: KeyPurpose, *, actor: Principal) -> Rotated:
        """Publish a successor of the key that signs now; one that waits already is left to it."""
        async with self._unit:
            rotated = await rotate_keys(self._runtime, self._unit, purpose=purpose)
            record(
                self._runtime,
                self._unit,
                "key.rotation_requested",
                actor=actor,
                details={"purpose": purpose.value, "kid": rotated.kid, "is_new": rotated.is_new},
            )
        return rotated
