"""SQL of the trail: entries are added and read, never changed."""

from portico.audit.models import AuditEntry
from portico.db.repositories import Repository


class AuditRepository(Repository[AuditEntry]):
    """The entries."""
