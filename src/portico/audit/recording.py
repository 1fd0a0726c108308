"""What a unit of work adds to the trail with its commit: all of its entries in as few statements as possible.

Written as the last thing in the transaction, like events and jobs: never for an act that was rolled back, always for
one that was committed, and not for the part of it whose savepoint was undone.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from portico.audit.canonical import (
    FORMAT,
    KEY_VERSION,
    SALT_BYTES,
    commitment_of,
    encode_document,
    entry_bytes,
    entry_mac,
    time_text,
)
from portico.audit.repositories.entries import EntryRepository
from portico.audit.types import Outcome
from portico.core import failpoints
from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.runtime import Runtime

NOTHING = encode_document({})


class Batch:
    """The entries of one unit of work, and what they know of persons."""

    __slots__ = ("_entries", "_is_known_to_savepoints", "_personal", "_runtime", "_unit")

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._entries: list[dict[str, Any]] = []
        self._personal: list[dict[str, Any]] = []
        self._is_known_to_savepoints = False

    def add(
        self,
        *,
        at: datetime,
        action: str,
        outcome: Outcome,
        organization_id: UUID | None,
        actor_id: UUID | None,
        on_behalf_of_id: UUID | None,
        subject: tuple[str, UUID] | None,
        session_id: UUID | None,
        credential_id: UUID | None,
        request_id: str | None,
        reason: str | None,
        details: dict[str, Any] | None,
        changes: dict[str, Any] | None,
        personal: dict[str, Any],
    ) -> UUID:
        """Write an entry with the commit, under its MAC; return its id."""
        self._hook()
        id_ = new_id()
        commitment = self._committed(id_, personal) if personal else None
        subject_type, subject_id = subject or (None, None)
        details_text = encode_document(details) if details else NOTHING
        changes_text = encode_document(changes) if changes else None
        canonical = entry_bytes(
            [
                FORMAT,
                KEY_VERSION,
                id_.hex,
                organization_id and organization_id.hex,
                time_text(at),
                action,
                outcome.value,
                actor_id and actor_id.hex,
                on_behalf_of_id and on_behalf_of_id.hex,
                subject_type,
                subject_id and subject_id.hex,
                session_id and session_id.hex,
                credential_id and credential_id.hex,
                request_id,
                reason,
                details_text,
                changes_text,
                commitment and commitment.hex(),
            ]
        )
        self._entries.append(
            {
                "id": id_,
                "organization_id": organization_id,
                "at": at,
                "action": action,
                "outcome": outcome,
                "actor_id": actor_id,
                "on_behalf_of_id": on_behalf_of_id,
                "subject_type": subject_type,
                "subject_id": subject_id,
                "session_id": session_id,
                "credential_id": credential_id,
                "request_id": request_id,
                "reason": reason,
                "details": details_text,
                "changes": changes_text,
                "commitment": commitment,
                "format": FORMAT,
                "key_version": KEY_VERSION,
                "mac": entry_mac(self._runtime.secret, canonical),
            }
        )
        return id_

    def _committed(self, entry_id: UUID, personal: dict[str, Any]) -> bytes:
        salt, fields = self._runtime.entropy.bytes(SALT_BYTES), encode_document(personal)
        self._personal.append({"entry_id": entry_id, "salt": salt, "fields": fields})
        return commitment_of(salt, fields)

    def _hook(self) -> None:
        """Ask to be called before the commit: again, if what is added comes from another hook that runs then."""
        if self._entries:
            return
        if not self._is_known_to_savepoints:
            self._is_known_to_savepoints = True
            self._unit.around_savepoints(self._write, self._drop)
        self._unit.before_commit(self._write)

    async def _write(self) -> None:
        entries, self._entries = self._entries, []
        personal, self._personal = self._personal, []
        if not entries:
            return
        if failpoints.armed:
            await failpoints.reach("audit.before_write")
        await EntryRepository(self._unit.session).write(entries, personal)

    def _drop(self) -> None:
        self._entries, self._personal = [], []


def batch_of(runtime: Runtime, unit: Unit) -> Batch:
    """Return what `unit` adds to the trail.

    Raises:
        RuntimeError: the unit is not open.
    """
    if not unit.is_open:
        raise RuntimeError("the trail is written inside `async with unit:`")
    batch = unit.attached.get(Batch)
    if not isinstance(batch, Batch):
        batch = unit.attached[Batch] = Batch(runtime, unit)
    return batch
