"""Forgetting a person: the acts stay on the trail, by an id of nobody."""

from portico.audit.repositories.entries import EntryRepository
from portico.audit.services.recording import record
from portico.core.ids import UserId
from portico.db.unit import Unit
from portico.runtime import Runtime

ERASED = "audit.person_erased"


async def erase_person(user_id: UserId, unit: Unit, runtime: Runtime) -> None:
    """Delete what the trail knows of a person besides ids, and keep that it was so; the chain is not broken by it."""
    await unit.settle()
    count = await EntryRepository(unit.session).forget_person(user_id)
    record(runtime, unit, ERASED, subject=("user", user_id), details={"entries": count})
