"""SQL of the trail: entries are added and read; only the erasure of a person takes something away."""

from uuid import UUID

from sqlalchemy import or_, update

from portico.audit.models import AuditEntry
from portico.db.repositories import Repository


class AuditRepository(Repository[AuditEntry]):
    """The entries."""

    async def forget_person(self, person_id: UUID) -> None:
        """Take from a person's entries what names a place or device; who, what and when stay, by an id of nobody."""
        theirs = or_(AuditEntry.actor_id == person_id, AuditEntry.subject_id == person_id)
        cleared = {"client_address": None, "user_agent": None}
        await self.session.execute(update(AuditEntry).where(theirs).values(cleared))
