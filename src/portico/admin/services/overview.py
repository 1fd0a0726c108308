"""What administrators read of the deployment: figures and the trail; and the rotation of its keys."""

from functools import partial
from typing import Any

from portico.admin.repositories import PeopleRepository, TrailRepository, entry_of
from portico.admin.schemas import TrailQuery
from portico.admin.services.totals import Totals
from portico.admin.types import Statistics, TrailEntry
from portico.audit.services import record
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.http.pagination import Cursors, Page, Slice
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
        remember = partial(self._runtime.get(Totals).of, query.binding("trail"))
        async with self._runtime.reads() as reader:
            found: Slice[Any] = await TrailRepository(reader).list_entries(
                query, Cursors.of(self._runtime), remember
            )
        return Page[Any](data=[entry_of(row) for row in found.rows], pagination=found.pagination)

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
