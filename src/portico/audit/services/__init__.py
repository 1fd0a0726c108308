"""What the trail does: entries are recorded, chained, verified, searched, exported, shipped and, in time, deleted."""

from portico.audit.services.following import read_links
from portico.audit.services.recording import record
from portico.audit.services.searching import Trail

__all__ = ["Trail", "read_links", "record"]
